// A gateway on loopback: gateway.mjs CONF writes the conf of its one client to CONF, and serves HTTP in the tunnel only, on
// http://10.9.0.1:8000/.
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { openTunnel } from 'tunless'

const [a, b] = [keys(), keys()]
const tunnel = await openTunnel({
  text: `[Interface]\nPrivateKey = ${a.privateKey}\nAddress = 10.9.0.1/32\n[Peer]\nPublicKey = ${b.publicKey}\nAllowedIPs = 10.9.0.2/32\n`,
})
const http = createServer((_, response) => response.end('behind the gateway\n'))
tunnel.createServer(socket => http.emit('connection', socket)).listen(8000)
writeFileSync(
  process.argv[2],
  `[Interface]\nPrivateKey = ${b.privateKey}\nAddress = 10.9.0.2/32\n[Peer]\nPublicKey = ${a.publicKey}\nAllowedIPs = 10.9.0.1/32\nEndpoint = 127.0.0.1:${tunnel.port}\n`,
  { mode: 0o600 },
)
console.log('listening')

function keys() {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const base64 = text => Buffer.from(text, 'base64url').toString('base64')
  return { privateKey: base64(d), publicKey: base64(x) }
}
