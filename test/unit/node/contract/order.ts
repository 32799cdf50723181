// Each way to close, with everything that both sides are told, in order.
import { once } from 'node:events'
import { finished } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { AnySocket } from '../../../support/socket-rigs.js'
import { closed, type SocketWorld, story, turns } from '../../../support/socket-world.js'

const MiB = 1024 * 1024
const finish = ['prefinish', 'finish']

interface Way {
  readonly near: readonly string[]
  readonly far: readonly string[]
  /** What the callbacks of write() and end() got, and stream.finished. */
  readonly said?: readonly string[]
  readonly halfOpen?: boolean
  act(near: AnySocket, far: AnySocket, say: (name: string) => (error?: Error | null) => void): unknown
}

const ways: Record<string, Way> = {
  'end()': {
    act: (near, _far, say) => near.end('x', say('end')),
    near: [...finish, 'end', 'close false'],
    far: ['end', ...finish, 'close false'],
    said: ['end ok', 'finished ok'],
  },
  'end() of both at once': {
    act: (near, far) => [near.end('x'), far.end('y')],
    near: [...finish, 'end', 'close false'],
    far: [...finish, 'end', 'close false'],
    said: ['finished ok'],
  },
  'end() in answer to the other end': {
    halfOpen: true,
    async act(near, far, say) {
      far.end('x')
      await once(near, 'end')
      near.write('y', say('write'))
      await once(far, 'data')
      near.end()
    },
    near: ['end', ...finish, 'close false'],
    far: [...finish, 'end', 'close false'],
    said: ['write ok', 'finished ok'],
  },
  'end() in answer to the last data': {
    act(near, far) {
      near.once('data', () => near.end())
      far.end('x')
    },
    near: [...finish, 'end', 'close false'],
    far: [...finish, 'end', 'close false'],
    said: ['finished ok'],
  },
  'end(), then destroy()': {
    act(near, _far, say) {
      near.end('x', say('end'))
      near.destroy()
    },
    near: ['close false'],
    far: ['end', ...finish, 'close false'],
    said: ['end ERR_STREAM_DESTROYED', 'finished ERR_STREAM_PREMATURE_CLOSE'],
  },
  'destroy() when finished': {
    act(near) {
      near.on('finish', () => near.destroy())
      near.end('x')
    },
    near: [...finish, 'close false'],
    far: ['end', ...finish, 'close false'],
    said: ['finished ERR_STREAM_PREMATURE_CLOSE'],
  },
  'destroy()': {
    act(near, _far, say) {
      near.write('x', say('write'))
      near.destroy()
    },
    near: ['close false'],
    far: ['end', ...finish, 'close false'],
    said: ['write ok', 'finished ERR_STREAM_PREMATURE_CLOSE'],
  },
  'destroy(error)': {
    act: near => near.destroy(new Error('enough')),
    near: ['error enough', 'close true'],
    far: ['end', ...finish, 'close false'],
    said: ['finished enough'],
  },
  'destroy() in end': {
    act(near, far) {
      near.on('end', () => near.destroy())
      far.end('x')
    },
    near: ['end', 'close false'],
    far: [...finish, 'end', 'close false'],
    said: ['finished ERR_STREAM_PREMATURE_CLOSE'],
  },
  'destroySoon()': {
    act(near) {
      near.write('x')
      near.destroySoon()
    },
    near: [...finish, 'close false'],
    far: ['end', ...finish, 'close false'],
    said: ['finished ERR_STREAM_PREMATURE_CLOSE'],
  },
  'resetAndDestroy()': {
    act: near => near.resetAndDestroy(),
    near: ['close false'],
    far: ['error ECONNRESET', 'close true'],
    said: ['finished ERR_STREAM_PREMATURE_CLOSE'],
  },
  'a reset of the other side': {
    act: (_near, far) => far.resetAndDestroy(),
    near: ['error ECONNRESET', 'close true'],
    far: ['close false'],
    said: ['finished ECONNRESET'],
  },
  'a reset of the other side under a write': {
    async act(near, far, say) {
      far.pause()
      near.write(Buffer.alloc(16 * MiB), say('write'))
      near.write('x', say('second'))
      await turns(50)
      far.resetAndDestroy()
    },
    near: ['error ECONNRESET', 'close true'],
    far: ['close false'],
    // As net has it: the write under way is not told.
    said: ['second ECONNRESET', 'write ok', 'finished ECONNRESET'],
  },
  'a write after the end': {
    act(near, _far, say) {
      near.end()
      near.write('x', say('write'))
    },
    near: ['error ERR_STREAM_WRITE_AFTER_END', 'close true'],
    far: ['end', ...finish, 'close false'],
    said: ['write ERR_STREAM_WRITE_AFTER_END', 'finished ERR_STREAM_WRITE_AFTER_END'],
  },
  'a write after the other end': {
    act(near, far, say) {
      near.on('end', () => setImmediate(() => near.write('x', say('write'))))
      far.end()
    },
    near: ['end', ...finish, 'close false'],
    far: [...finish, 'end', 'close false'],
    said: ['finished ok', 'write EPIPE'],
  },
  'an iterator to the end': {
    async act(near, far) {
      near.pause()
      far.end('x')
      for await (const _ of near);
    },
    near: ['end', 'close false'],
    far: [...finish, 'end', 'close false'],
    said: ['finished ok'],
  },
}

export function describeOrder(world: SocketWorld): void {
  describe('is told in order of', () => {
    it.each(Object.entries(ways))('%s', async (_, { act, halfOpen = false, ...expected }) => {
      const [near, far] = await world.pair({ allowHalfOpen: halfOpen })
      const told = { near: story(near), far: story(far) }
      const said: string[] = []
      const say = (name: string) => (error?: Error | null) => {
        said.push(`${name} ${error == null ? 'ok' : ((error as NodeJS.ErrnoException).code ?? error.message)}`)
      }
      near.resume()
      far.resume()
      finished(near, say('finished'))
      await act(near, far, say)
      far.resume()
      await Promise.all([closed(near), closed(far)])
      await turns(5)
      expect({ ...told, said: said.sort() }).toEqual({ ...expected, said: [...(expected.said ?? [])].sort() })
      expect([near.destroyed, near.pending, near.readyState]).toEqual([true, true, 'closed'])
    })
  })
}
