// Prints which crypto backend a tunnel takes by itself, and what it takes or says when asked for WebAssembly.
import { openTunnel } from 'tunless'

const key = fill => Buffer.alloc(32, fill).toString('base64')
const text = `[Interface]\nPrivateKey = ${key(5)}\nAddress = 10.9.0.1/32\n[Peer]\nPublicKey = ${key(9)}\nAllowedIPs = 10.9.0.2/32\n`

async function backend(options) {
  try {
    const tunnel = await openTunnel({ text }, options)
    const { crypto } = tunnel.stats()
    await tunnel.close()
    return crypto
  } catch (error) {
    return error.code
  }
}

console.log(await backend({}), await backend({ crypto: 'simd' }))
