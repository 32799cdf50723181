// The flood: sender.js {"kind":…,"port":…,"rate":…,"sources":…,"publicKey":…,"messages":[…]} sends so many datagrams a second to
// 127.0.0.1, from as many addresses of 127/8, until it is ended; each second it says how many it sent.
import { randomFillSync } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { blake2s } from '@noble/hashes/blake2.js'

const tick = 2
const distinct = 2000

process.once('message', async ({ kind, port, rate, sources, publicKey, messages }) => {
  const flood = makeMessages(kind, publicKey, messages)
  const sockets = []
  for (let i = 0; i < sources; i++) {
    const socket = createSocket({ type: 'udp4', lookup: (address, _options, callback) => callback(null, address, 4) })
    socket.on('error', () => {})
    sockets.push(once(socket, 'listening').then(() => socket)) // before bind(), which may be done at once
    socket.bind(0, `127.${1 + Math.floor(i / 62_500)}.${Math.floor(i / 250) % 250}.${1 + (i % 250)}`)
    if (i % 500 === 499) await Promise.all(sockets)
  }
  const bound = await Promise.all(sockets)
  process.send({ ready: true })
  let sent = 0
  let said = 0
  const start = performance.now()
  // As many as are due by now; what a busy machine could not send is not made up for beyond a tenth of a second.
  let due = 0
  let last = start
  setInterval(() => {
    const now = performance.now()
    due = Math.min(due + ((now - last) / 1000) * rate, rate / 10)
    last = now
    for (; due >= 1; due--) {
      bound[sent % bound.length].send(flood[sent % flood.length], port, '127.0.0.1')
      sent++
    }
  }, tick)
  setInterval(() => {
    process.send({ sent: sent - said })
    said = sent
  }, 1000)
})
process.on('disconnect', () => process.exit())
process.send({ up: true })

function makeMessages(kind, publicKey, messages) {
  if (kind === 'replay') return messages.map(text => Buffer.from(text, 'base64'))
  const key = blake2s(Buffer.concat([Buffer.from('mac1----'), Buffer.from(publicKey, 'base64')]))
  return Array.from({ length: distinct }, () => {
    const message = randomFillSync(Buffer.alloc(148))
    message.writeUInt32LE(1, 0)
    if (kind === 'valid-mac1') message.set(blake2s(message.subarray(0, 116), { key, dkLen: 16 }), 116)
    return message
  })
}
