// What every JavaScript consumer does with the package: two tunnels on loopback, one dials the other, an echo comes back.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

export async function roundtrip({ openTunnel }) {
  const [a, b] = [keys(), keys()]
  const server = await openTunnel({
    text: `[Interface]\nPrivateKey = ${a.privateKey}\nAddress = 10.9.0.1/32\n[Peer]\nPublicKey = ${b.publicKey}\nAllowedIPs = 10.9.0.2/32\n`,
  })
  server.createServer(socket => socket.pipe(socket)).listen(7)
  const client = await openTunnel({
    text: `[Interface]\nPrivateKey = ${b.privateKey}\nAddress = 10.9.0.2/32\n[Peer]\nPublicKey = ${a.publicKey}\nAllowedIPs = 10.9.0.1/32\nEndpoint = 127.0.0.1:${server.port}\n`,
  })
  try {
    await client.ready({ target: { host: '10.9.0.1', port: 7 } })
    const socket = client.connect({ host: '10.9.0.1', port: 7 })
    socket.end('through the tunnel')
    const [answer] = await Promise.all([text(socket), once(socket, 'close')])
    return answer
  } finally {
    await client.close()
    await server.close()
  }
}

function keys() {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const base64 = text => Buffer.from(text, 'base64url').toString('base64')
  return { privateKey: base64(d), publicKey: base64(x) }
}
