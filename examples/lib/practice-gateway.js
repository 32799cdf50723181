// A gateway on loopback with two small servers behind it, so that the examples run without a network of yours. A real one is
// any WireGuard peer.
import { createHash, generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { openTunnel } from 'tunless'

/** Opens the gateway; `conf` is the configuration of its one client. */
export async function openPracticeGateway() {
  const [gateway, client] = [createKeys(), createKeys()]
  const tunnel = await openTunnel({
    text: `
      [Interface]
      PrivateKey = ${gateway.privateKey}
      Address = 10.7.0.1/32, 10.7.0.2/32

      [Peer]
      PublicKey = ${client.publicKey}
      AllowedIPs = 10.7.0.9/32`,
  })
  const http = createServer(handleRequest)
  tunnel.createServer(socket => http.emit('connection', socket)).listen(8000)
  const conf = `
    [Interface]
    PrivateKey = ${client.privateKey}
    Address = 10.7.0.9/32
    Host = web1 10.7.0.1
    Host = web2 10.7.0.2

    [Peer]
    Name = gateway
    PublicKey = ${gateway.publicKey}
    AllowedIPs = 10.7.0.0/24
    Endpoint = 127.0.0.1:${tunnel.port}`
  return { conf, close: () => tunnel.close() }
}

/** GET answers `healthy`; PUT answers the SHA-256 of what was sent. */
function handleRequest(request, response) {
  const hash = createHash('sha256')
  request.on('data', chunk => hash.update(chunk))
  request.on('end', () => response.end(request.method === 'PUT' ? hash.digest('hex') : 'healthy\n'))
}

function createKeys() {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const base64 = text => Buffer.from(text, 'base64url').toString('base64')
  return { privateKey: base64(d), publicKey: base64(x) }
}
