import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { relay } from '../../../src/node/control/relay.js'

/** Both ends of a connection over TCP, which alone can be reset. */
async function tcpPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [accepted] = (await once(server, 'connection')) as [Socket]
  if (socket.connecting) await once(socket, 'connect')
  server.close()
  onTestFinished(() => void [socket, accepted].map(each => each.destroy()))
  return [socket, accepted]
}

/** Ends when it was read, and is destroyed then: its other direction never ended. */
function breaking(): Duplex {
  const near = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  return near.once('end', () => near.destroy())
}

const plain = { breakNear: () => {}, endFar: (end: () => void) => end() }

describe('the relay of the control socket', () => {
  it('closes a far side that is broken off while its end is on its way', async () => {
    const [far] = await tcpPair()
    const near = breaking()
    const closed = relay(near, far, plain)
    near.push(null)
    await closed
    expect(far.destroyed).toBe(true)
  })
})
