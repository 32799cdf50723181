// Keys and configurations of two ends, for the benchmarks that open tunnels of their own.
import { generateKeyPairSync } from 'node:crypto'

export function createKeys() {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const base64 = text => Buffer.from(text, 'base64url').toString('base64')
  return { privateKey: base64(d), publicKey: base64(x) }
}

/** The far side: 10.9.0.1, waits to be called. */
export function serverConf(server, client) {
  return `[Interface]\nPrivateKey = ${server.privateKey}\nAddress = 10.9.0.1/32\n[Peer]\nPublicKey = ${client.publicKey}\nAllowedIPs = 10.9.0.2/32\n`
}

/** The near side: 10.9.0.2, calls that port of loopback. */
export function clientConf(server, client, port) {
  return `[Interface]\nPrivateKey = ${client.privateKey}\nAddress = 10.9.0.2/32\n[Peer]\nPublicKey = ${server.publicKey}\nAllowedIPs = 10.9.0.1/32\nEndpoint = 127.0.0.1:${port}\n`
}
