// Who uses sockets as streams: pipeline, finished, iterators, web streams; http and TLS on top.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { Duplex } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'
import tls from 'node:tls'
import { describe, expect, it } from 'vitest'
import { buffer, closed, type SocketWorld, story, withResolvers } from '../../../support/socket-world.js'

const MiB = 1024 * 1024
const key = Buffer.alloc(32, 7)
const psk = { ciphers: 'PSK-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' } as const

export function describeUsers(world: SocketWorld): void {
  describe('a stream', () => {
    it('works in pipeline() and finished()', async () => {
      const bytes = randomBytes(MiB)
      const got = withResolvers<Buffer>()
      await world.listen(socket => void buffer(socket).then(got.resolve))
      const socket = world.dial({ allowHalfOpen: true })
      await pipeline([bytes], socket)
      socket.resume()
      await finished(socket)
      expect((await got.promise).equals(bytes)).toBe(true)
    })

    it('is iterated over, to the end or to a break, and destroyed then', async () => {
      const [near, far] = await world.pair()
      far.write('ab')
      far.end('c')
      let got = ''
      for await (const chunk of near) got += chunk
      expect([got, near.destroyed]).toEqual(['abc', true])
      await closed(near)

      const [other, writer] = await world.pair()
      writer.write('x')
      const told = story(other)
      for await (const _ of other) break
      expect(other.destroyed).toBe(true)
      await closed(other)
      expect(told).toEqual(['error ABORT_ERR', 'close true'])
    })

    it('becomes web streams', async () => {
      const [near, far] = await world.pair()
      const { readable, writable } = Duplex.toWeb(near as Duplex)
      far.write('hello')
      const { value } = await readable.getReader().read()
      expect(Buffer.from(value).toString()).toBe('hello')
      await writable.getWriter().write(Buffer.from('world'))
      expect(String((await once(far, 'data'))[0])).toBe('world')
    })
  })

  describe('a protocol', () => {
    it('of http goes over createConnection', async () => {
      const web = http.createServer((request, response) => {
        void textOf(request).then(body => response.end(`${request.method} ${body.length}`))
      })
      await world.listen(socket => web.emit('connection', socket))
      for (const length of [0, 300_000]) {
        const request = http.request({ method: 'POST', createConnection: () => world.dial() as never })
        request.end(Buffer.alloc(length, 'x'))
        const [response] = (await once(request, 'response')) as [http.IncomingMessage]
        expect(await textOf(response)).toBe(`POST ${length}`)
      }
    })

    it('of http is told of a reset', async () => {
      await world.listen(socket => socket.once('data', () => socket.resetAndDestroy()))
      const request = http.get({ createConnection: () => world.dial() as never })
      expect((await once(request, 'error'))[0]).toMatchObject({ code: 'ECONNRESET' })
    })

    it('of TLS goes over a socket that stands, or is being dialled', async () => {
      const secure = tls.createServer({ ...psk, pskCallback: () => key }, socket => void socket.pipe(socket))
      // Without it, the end of one side is the end of both, before TLS has answered: net's sockets are read by TLS itself.
      await world.listen(socket => secure.emit('connection', socket), { allowHalfOpen: true })
      const bytes = randomBytes(300_000)
      for (const when of ['before', 'after']) {
        const socket = world.dial()
        if (when === 'after') await once(socket, 'connect')
        const over = tls.connect({
          ...psk,
          socket,
          pskCallback: () => ({ psk: key, identity: 'test' }),
          checkServerIdentity: () => undefined,
        } as unknown as tls.ConnectionOptions)
        over.end(bytes)
        const got: Buffer[] = []
        for await (const chunk of over) got.push(chunk)
        expect(Buffer.concat(got).equals(bytes)).toBe(true)
        await closed(socket)
      }
    })
  })
}
