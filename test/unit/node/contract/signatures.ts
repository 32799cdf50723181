// The ways in which connect() may be called, and a `lookup` that its caller brings along.
import type { LookupAddress, LookupOptions } from 'node:dns'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { closed, type SocketWorld, story, text, turns } from '../../../support/socket-world.js'

type Answer = (error: Error | null, found: string | LookupAddress[], family?: number) => void

export function describeSignatures(world: SocketWorld): void {
  describe('connect() takes', () => {
    it.each<[name: string, args: () => unknown[]]>([
      ['options', () => [{ host: world.rig.host, port: world.port }]],
      ['options with a port as text', () => [{ host: world.rig.host, port: String(world.port) }]],
      ['a port and a host', () => [world.port, world.rig.host]],
      ['a port as text and a host', () => [String(world.port), world.rig.host]],
    ])('%s, and a listener after it', async (_, args) => {
      await world.listen(socket => socket.end('hello'))
      const connect = (...more: unknown[]) => {
        const socket = world.socket()
        expect((socket.connect as (...args: unknown[]) => unknown)(...args(), ...more)).toBe(socket)
        return socket
      }
      expect(await text(connect())).toBe('hello')
      await new Promise<void>(resolve => connect(resolve).resume())
    })

    it.each([Number.NaN, 70_000, -1])('no port %s', port => {
      expect(() => (world.socket().connect as (...args: unknown[]) => unknown)(port, world.rig.host)).toThrow(
        expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }),
      )
    })
  })

  describe('a lookup of the caller', () => {
    function dial(lookup: (name: string, options: LookupOptions, answer: Answer) => void, more: object = {}) {
      const socket = world.socket()
      socket.connect({ host: 'some.name', port: world.port, lookup, ...more } as never)
      return socket
    }

    it('is asked for the name, and what it gives is dialled', async () => {
      await world.listen(socket => socket.end('hello'))
      const asked: unknown[] = []
      const socket = dial((name, { family = 0, all }, answer) => {
        asked.push(name, family, all)
        setImmediate(answer, null, [{ address: world.rig.host, family: 4 }])
      })
      const found = once(socket, 'lookup')
      expect(await text(socket)).toBe('hello')
      expect(asked).toEqual(['some.name', 0, true])
      expect((await found).slice(0, 2)).toEqual([null, world.rig.host])
    })

    it.each([{ autoSelectFamily: false }, { family: 4 }])(
      'may give one address where one is enough: %j',
      async more => {
        await world.listen(socket => socket.end('hello'))
        const socket = dial((_, options, answer) => {
          expect(options.all ?? false).toBe(false)
          answer(null, world.rig.host, 4)
        }, more)
        expect(await text(socket)).toBe('hello')
      },
    )

    it('is not asked for an address', async () => {
      await world.listen(socket => socket.end('hello'))
      const socket = dial(() => expect.unreachable(), { host: world.rig.host })
      expect(await text(socket)).toBe('hello')
    })

    it('that fails is the error of the socket, as it stands', async () => {
      await world.listen()
      const reason = Object.assign(new Error('no such name'), { code: 'ENONE' })
      const socket = dial((_name, _options, answer) => setImmediate(answer, reason, ''))
      const told = story(socket)
      expect((await once(socket, 'error'))[0]).toBe(reason)
      await closed(socket)
      expect(told).toEqual(['error ENONE', 'close true'])
    })

    it('that gives no address is an error', async () => {
      await world.listen()
      const socket = dial((_name, _options, answer) => setImmediate(answer, null, 'nowhere'), {
        autoSelectFamily: false,
      })
      expect((await once(socket, 'error'))[0].code).toBe('ERR_INVALID_IP_ADDRESS')
    })

    it('that answers after the socket was destroyed is not heard', async () => {
      await world.listen()
      let answer: Answer | undefined
      const socket = dial((_name, _options, given) => {
        answer = given
      })
      const told = story(socket)
      while (answer === undefined) await turns(1)
      socket.destroy()
      answer(null, [{ address: world.rig.host, family: 4 }])
      await closed(socket)
      await turns(20)
      expect(told).toEqual(['close false'])
    })

    it('has to be a function', async () => {
      await world.listen()
      expect(() => dial('dns' as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
    })
  })
}
