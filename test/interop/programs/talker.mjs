// One end of the tests against the kernel's TCP: talker.mjs is the kernel's end, talker.mjs INSTALLATION CONF a tunnel's. Both
// accept on port 9000, and dial the other when a line on standard input says so: `dial ID HOST MODE BYTES MS`. The dialler
// tells the acceptor ID, MODE, BYTES and MS in 64 bytes; then both do their part, and print ID and what came of it.
import { createCipheriv } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { digest } from './services.mjs'

const port = 9000
const goAhead = new Map()

/** What each side of a connection does. */
const modes = {
  // The dialler's FIN first, then all bytes to it.
  'reply-after-fin': { dial: endThenRead, accept: readThenSend },
  // The acceptor's FIN first, then all bytes to it.
  'request-after-fin': { dial: readThenSend, accept: endThenRead },
  // Who reads takes nothing for so long.
  'dialler-stalls': { dial: stallThenRead, accept: send },
  'acceptor-stalls': { dial: send, accept: stallThenRead },
  'acceptor-resets': { dial: waitForReset, accept: reset },
  'dialler-resets': { dial: reset, accept: waitForReset },
  // The second half waits for a line `go ID`.
  'upload-in-halves': { dial: sendInHalves, accept: endAndRead },
  'download-in-halves': { dial: endAndRead, accept: sendInHalves },
}

async function endThenRead(socket) {
  socket.end()
  return digest(socket)
}

async function endAndRead(socket) {
  const result = await digest(socket)
  socket.end()
  return result
}

async function readThenSend(socket, { bytes }) {
  const before = await digest(socket)
  await write(socket, bytes)
  socket.end()
  await once(socket, 'close')
  return { before: before.length }
}

async function send(socket, { bytes }) {
  const start = performance.now()
  await write(socket, bytes)
  const writing = Math.round(performance.now() - start)
  socket.end()
  await digest(socket)
  return { writing }
}

async function stallThenRead(socket, { ms }) {
  await wait(ms)
  const result = await digest(socket)
  socket.end()
  return result
}

async function sendInHalves(socket, { id, bytes }) {
  const stream = keystream()
  await write(socket, bytes / 2, stream)
  const told = new Promise(resolve => goAhead.set(id, resolve))
  console.log(`half ${id}`)
  await told
  await write(socket, bytes / 2, stream)
  socket.end()
  await digest(socket)
  return {}
}

async function reset(socket) {
  if (socket.readableLength === 0) await once(socket, 'readable')
  socket.resetAndDestroy()
  return {}
}

async function waitForReset(socket) {
  socket.write('now')
  socket.resume()
  const [error] = await once(socket, 'error')
  return { error: error.code }
}

/** The same bytes at every end: AES-CTR's keystream. */
function keystream() {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))
}

const zeros = Buffer.alloc(65536)

async function write(socket, bytes, stream = keystream()) {
  for (let left = bytes; left > 0; left -= zeros.length) {
    const chunk = stream.update(left < zeros.length ? zeros.subarray(0, left) : zeros)
    if (!socket.write(chunk)) await once(socket, 'drain')
  }
}

async function accepted(socket) {
  socket.on('error', () => {})
  let header = null
  while (header === null) {
    await once(socket, 'readable')
    header = socket.read(64)
  }
  const [id, mode, bytes, ms] = header.toString().trim().split(' ')
  const result = await modes[mode].accept(socket, { id, bytes: Number(bytes), ms: Number(ms) })
  console.log(`accepted ${id} ${JSON.stringify(result)}`)
}

async function dial([id, host, mode, bytes, ms]) {
  const socket = dialer({ host, port, allowHalfOpen: true })
  socket.on('error', () => {})
  socket.write(`${id} ${mode} ${bytes} ${ms}`.padEnd(64))
  const result = await modes[mode].dial(socket, { id, bytes: Number(bytes), ms: Number(ms) })
  console.log(`dialled ${id} ${JSON.stringify(result)}`)
}

const [installation, conf] = process.argv.slice(2)
let dialer = connect
let listener = createServer
if (conf !== undefined) {
  const main = createRequire(join(installation, 'package.json')).resolve('tunless')
  const { openTunnel } = await import(pathToFileURL(main).href)
  const tunnel = await openTunnel(conf)
  dialer = options => tunnel.connect(options)
  listener = (options, handle) => tunnel.createServer(options, handle)
}
listener({ allowHalfOpen: true }, accepted).listen(port, () => console.log('listening'))
createInterface({ input: process.stdin }).on('line', line => {
  const [verb, ...words] = line.split(' ')
  if (verb === 'dial') dial(words)
  else if (verb === 'go') goAhead.get(words[0])()
})
process.once('SIGTERM', () => process.exit())
