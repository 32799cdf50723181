// What a socket of its own does for a live endpoint: one sender at a steady pace, a flood beside it, a receiver that also has other
// work; with and without, by turns. `npm run build` first. Prints how much of the sender's came through.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { createPacketMemory } from '../dist/core/base/packet-memory.js'
import { bindUdp } from '../dist/node/udp.js'
import { tell } from './shared/results.js'

const seconds = 3
const dataPerSecond = 40_000
const floodPerSecond = 100_000

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '4' }, sender: { type: 'string' } } })
if (values.sender !== undefined) await send(JSON.parse(values.sender))
else await measure(Number(values.rounds))

/** The child: `rate` datagrams a second to the port it is told. */
async function send({ port, rate, size }) {
  const { createSocket } = await import('node:dgram')
  const socket = createSocket({
    type: 'udp4',
    sendBufferSize: 1 << 20,
    lookup: (a, _o, callback) => callback(null, a, 4),
  })
  const listening = once(socket, 'listening')
  socket.bind(0, '127.0.0.1')
  await listening
  process.send(socket.address().port)
  await once(process, 'message')
  const bytes = Buffer.alloc(size)
  const start = performance.now()
  let sent = 0
  const step = () => {
    const due = Math.min(seconds * rate, ((performance.now() - start) / 1000) * rate)
    for (; sent < due; sent++) socket.send(bytes, port, '127.0.0.1')
    if (sent < seconds * rate) setImmediate(step)
    else setTimeout(() => process.exit(), 100)
  }
  step()
}

async function measure(rounds) {
  const shares = { own: [], one: [] }
  for (let round = 0; round < rounds; round++) {
    for (const own of [false, true]) {
      const { data, flood } = await run(own)
      const share = (100 * data) / (seconds * dataPerSecond)
      shares[own ? 'own' : 'one'].push(share)
      const text = share.toFixed(1).padStart(5)
      console.log(`${own ? 'own socket' : 'one socket'}: ${text} % of the data, ${flood} of the flood`)
    }
  }
  tell(Object.entries(shares).map(([who, rounds]) => ({ id: `data/${who}`, rounds, unit: '%', better: 'higher' })))
}

async function run(own) {
  const memory = createPacketMemory(new ArrayBuffer(1024 * 2048), 2048)
  const got = { data: 0, flood: 0 }
  let dataPort = 0
  const udp = await bindUdp({
    port: 0,
    host: '127.0.0.1',
    memory,
    sink: {
      handleDatagram(slot, _length, source) {
        // About what opening a packet costs.
        if (source.port === dataPort) {
          got.data++
          spin(0.006)
        } else got.flood++
        memory.free(slot)
      },
      handleError() {},
      handleWritable() {},
    },
  })
  const children = [
    [dataPerSecond, 1452],
    [floodPerSecond, 148],
  ].map(([rate, size]) => fork(import.meta.filename, ['--sender', JSON.stringify({ port: udp.port, rate, size })]))
  const [[port]] = await Promise.all(children.map(child => once(child, 'message')))
  dataPort = port
  if (own) udp.favour([{ address: Uint8Array.of(127, 0, 0, 1), port }])
  for (const child of children) child.send('go')
  await Promise.all(children.map(child => once(child, 'exit')))
  await udp.close()
  return got
}

function spin(milliseconds) {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}
