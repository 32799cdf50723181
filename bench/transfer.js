// A transfer between two tunnels of this process, real UDP on loopback: the floor of what both ends cost.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { openTunnel } from '../dist/index.js'

/** Sends that many megabytes; throws if what arrives differs. */
export async function measureTransfer(megabytes) {
  const [a, b] = [createKeys(), createKeys()]
  const server = await openTunnel({
    text: `[Interface]\nPrivateKey = ${a.privateKey}\nAddress = 10.9.0.1/32\n[Peer]\nPublicKey = ${b.publicKey}\nAllowedIPs = 10.9.0.2/32\n`,
  })
  const client = await openTunnel({
    text: `[Interface]\nPrivateKey = ${b.privateKey}\nAddress = 10.9.0.2/32\n[Peer]\nPublicKey = ${a.publicKey}\nAllowedIPs = 10.9.0.1/32\nEndpoint = 127.0.0.1:${server.port}\n`,
  })
  try {
    const received = new Promise((resolve, reject) => {
      server
        .createServer(socket => {
          const hash = createHash('sha256')
          socket.on('data', chunk => hash.update(chunk))
          socket.on('end', () => resolve(hash.digest('hex')))
          socket.on('error', reject)
        })
        .listen(9)
    })
    await client.ready()
    const chunk = randomBytes(1_000_000)
    const sent = createHash('sha256')
    for (let i = 0; i < megabytes; i++) sent.update(chunk)
    const start = performance.now()
    const cpu = process.cpuUsage()
    const source = Readable.from(Array.from({ length: megabytes }, () => chunk))
    const socket = client.connect({ host: '10.9.0.1', port: 9 })
    socket.resume()
    await Promise.all([pipeline(source, socket), once(socket, 'close')])
    if ((await received) !== sent.digest('hex')) throw new Error('what arrived is not what was sent')
    const { user, system } = process.cpuUsage(cpu)
    return { megabytes, seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 }
  } finally {
    await client.close()
    await server.close()
  }
}

function createKeys() {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const base64 = text => Buffer.from(text, 'base64url').toString('base64')
  return { privateKey: base64(d), publicKey: base64(x) }
}
