// Bytes: their order, their counts, and who waits for whom.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { buffer, closed, record, type SocketWorld, story, text, turns } from '../../../support/socket-world.js'

const MiB = 1024 * 1024

export function describeData(world: SocketWorld): void {
  describe('data', () => {
    it('goes both ways unharmed, whatever its pieces', async () => {
      await world.listen(socket => socket.pipe(socket))
      const socket = world.dial()
      const bytes = randomBytes(3 * MiB)
      const sent = (async () => {
        for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 70001) {
          if (!socket.write(bytes.subarray(at, at + size))) await once(socket, 'drain')
        }
        socket.end()
      })()
      const hash = createHash('sha256')
      let received = 0
      for await (const chunk of socket) {
        hash.update(chunk)
        received += chunk.length
      }
      await sent
      expect(received).toBe(bytes.length)
      expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))
      expect([socket.bytesRead, socket.bytesWritten]).toEqual([bytes.length, bytes.length])
    })

    it('is a Buffer, or text where an encoding is set', async () => {
      const [near, far] = await world.pair()
      far.write('grün')
      expect((await once(near, 'data'))[0]).toEqual(Buffer.from('grün'))
      near.setEncoding('utf8')
      far.write('grün')
      expect((await once(near, 'data'))[0]).toBe('grün')
    })

    it('waits while the reader is paused', async () => {
      const [near, far] = await world.pair()
      const seen = record(near, ['data', 'end'])
      near.on('data', () => near.pause())
      far.write('a')
      await once(near, 'data')
      far.end('b')
      await once(far, 'finish')
      await turns(20)
      expect(seen).toEqual(['data'])
      const end = once(near, 'end')
      near.resume()
      await once(near, 'data')
      near.resume()
      await end
      expect(seen).toEqual(['data', 'data', 'end'])
    })

    it('that nobody reads stops its writer, and goes on when it is read', async () => {
      const [near, far] = await world.pair()
      const chunk = Buffer.alloc(64 * 1024)
      let written = 0
      let drained = false
      near.pause()
      while (written < 64 * MiB) {
        written += chunk.length
        if (far.write(chunk)) continue
        drained = await Promise.race([once(far, 'drain').then(() => true), turns(50).then(() => false)])
        if (!drained) break
      }
      expect(drained).toBe(false)
      expect(far.writableNeedDrain).toBe(true)
      const drain = once(far, 'drain')
      near.resume()
      await drain
      far.end()
      await once(near, 'end')
      expect(near.bytesRead).toBe(written)
    })

    it('of many small writes arrives in order', async () => {
      const [near, far] = await world.pair()
      const lines = Array.from({ length: 1000 }, (_, i) => `${i}\n`)
      near.cork()
      for (const line of lines) near.write(line)
      near.uncork()
      near.end()
      expect(await text(far)).toBe(lines.join(''))
    })

    it('calls each write back in order, and drains once', async () => {
      const [near, far] = await world.pair()
      far.resume()
      const order: number[] = []
      const all = [1, 2, 3].map(n => new Promise<void>(resolve => near.write('x', () => resolve(void order.push(n)))))
      await Promise.all(all)
      expect(order).toEqual([1, 2, 3])
    })

    it('corked waits and is counted', async () => {
      const [near, far] = await world.pair()
      const seen = record(far, ['data'])
      near.cork()
      near.write('ab')
      near.write('c')
      expect([near.writableCorked, near.writableLength, near.bufferSize, near.bytesWritten]).toEqual([1, 3, 3, 3])
      await turns(10)
      expect(seen).toEqual([])
      near.uncork()
      expect([near.writableCorked, near.bytesWritten]).toEqual([0, 3])
      await once(far, 'data')
      expect([near.writableLength, near.bytesWritten]).toEqual([0, 3])
    })

    it('may be text in any encoding, and bytes of any kind', async () => {
      const [near, far] = await world.pair()
      near.write('6162', 'hex')
      near.write('YWI=', 'base64')
      near.write('é', 'latin1')
      near.write('é')
      near.write(new Uint8Array([1, 2]))
      expect(near.bytesWritten).toBe(9)
      near.end()
      expect((await buffer(far)).toString('hex')).toBe('61626162e9c3a90102')
    })

    it.each([
      [null, 'ERR_STREAM_NULL_VALUES'],
      [undefined, 'ERR_INVALID_ARG_TYPE'],
      [5, 'ERR_INVALID_ARG_TYPE'],
      [{}, 'ERR_INVALID_ARG_TYPE'],
    ])('cannot be %s', async (bad, code) => {
      const [near] = await world.pair()
      expect(() => near.write(bad)).toThrow(expect.objectContaining({ code }))
    })

    it('beyond the high-water mark says so, and drains once when all is gone', async () => {
      const [near, far] = await world.pair({ highWaterMark: 1000 })
      const seen = record(near, ['drain'])
      expect([near.writableHighWaterMark, near.readableHighWaterMark]).toEqual([1000, 1000])
      near.cork()
      expect(near.write(Buffer.alloc(999))).toBe(true)
      expect(near.write('x')).toBe(false)
      expect([near.writableNeedDrain, near.writableLength]).toEqual([true, 1000])
      near.uncork()
      await once(near, 'drain')
      await turns(5)
      expect([seen, near.writableNeedDrain, near.writableLength]).toEqual([['drain'], false, 0])
      far.resume()
    })

    it('is read piece by piece where it is asked for so', async () => {
      const [near, far] = await world.pair()
      near.pause()
      far.write('abcdef')
      near.on('readable', () => {})
      await once(near, 'readable')
      expect([String(near.read(2)), near.readableLength, String(near.read()), near.read()]).toEqual([
        'ab',
        4,
        'cdef',
        null,
      ])
    })

    it('that was put back comes first', async () => {
      const [near, far] = await world.pair()
      near.pause()
      near.unshift(Buffer.from('zz'))
      far.end('a')
      expect(await text(near)).toBe('zza')
      expect(near.bytesRead).toBe(1)
    })

    it('under way when the socket is destroyed is counted as written', async () => {
      const [near, far] = await world.pair()
      far.pause()
      const called = new Promise<Error | null | undefined>(resolve => near.write(Buffer.alloc(16 * MiB), resolve))
      await turns(20)
      const told = story(near)
      near.destroy(new Error('enough'))
      expect(near.bytesWritten).toBe(16 * MiB)
      // As net has it: only 'error' tells.
      expect(await called).toBeFalsy()
      await closed(near)
      expect([told, near.bytesWritten]).toEqual([['error enough', 'close true'], 16 * MiB])
    })
  })
}
