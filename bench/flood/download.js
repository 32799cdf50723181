// The side under the flood: download.js CONF_TEXT opens the tunnel and downloads. On `record` it answers with data messages that
// came, for the replays; on `start` it measures until `stop`, and answers with what it found.
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const recorded = 2000
const sampling = 100

// The tunnel's own sockets, to listen along for a moment: what is replayed has to be genuine.
const sockets = []
const dgram = createRequire(import.meta.url)('node:dgram')
const { createSocket } = dgram
dgram.createSocket = (...args) => {
  const socket = createSocket(...args)
  sockets.push(socket)
  return socket
}
syncBuiltinESMExports()
const { openTunnel } = await import('../../dist/index.js')

const tunnel = await openTunnel({ text: process.argv[2] })
await tunnel.ready()
const socket = tunnel.connect({ host: '10.9.0.1', port: 9 })
let bytes = 0
socket.on('data', chunk => {
  bytes += chunk.length
})

let begun
const peak = { queuedHandshakes: 0, limitedSources: 0, indices: 0, rss: 0, heapTotal: 0, heapUsed: 0 }
const delay = monitorEventLoopDelay({ resolution: 1 })

function sample() {
  const { load } = tunnel.stats()
  for (const key of ['queuedHandshakes', 'limitedSources', 'indices']) peak[key] = Math.max(peak[key], load[key])
  const memory = process.memoryUsage()
  for (const key of ['rss', 'heapTotal', 'heapUsed']) peak[key] = Math.max(peak[key], memory[key])
}

const orders = {
  record() {
    const messages = []
    const listen = message => {
      if (message[0] === 4 && messages.length < recorded) messages.push(message.toString('base64'))
      if (messages.length < recorded) return
      for (const each of sockets) each.off('message', listen)
      process.send({ messages: messages.splice(0) })
    }
    for (const each of sockets) each.on('message', listen)
  },
  start() {
    for (const key of Object.keys(peak)) peak[key] = 0
    const { rss, heapTotal } = process.memoryUsage()
    const { device } = tunnel.stats()
    begun = {
      bytes,
      rss,
      heapTotal,
      device,
      at: performance.now(),
      cpu: process.cpuUsage(),
      timer: setInterval(sample, sampling),
    }
    delay.reset()
    delay.enable()
  },
  stop() {
    delay.disable()
    clearInterval(begun.timer)
    sample()
    const seconds = (performance.now() - begun.at) / 1000
    const { user, system } = process.cpuUsage(begun.cpu)
    const { device } = tunnel.stats()
    const counters = Object.fromEntries(
      Object.entries(device).flatMap(([key, count]) =>
        count > begun.device[key] ? [[key, count - begun.device[key]]] : [],
      ),
    )
    process.send({
      result: {
        megabits: ((bytes - begun.bytes) * 8) / 1e6 / seconds,
        cpu: (user + system) / 1e6 / seconds,
        delay: delay.percentile(99) / 1e6,
        rssGrowth: (peak.rss - begun.rss) / 2 ** 20,
        // What V8 has set aside for young objects, most of it: it grows with the rate of garbage, to a bound of its own.
        heapGrowth: (peak.heapTotal - begun.heapTotal) / 2 ** 20,
        peak,
        counters,
      },
    })
  },
}
process.on('message', order => orders[order]())
process.on('disconnect', () => process.exit())
process.send({ port: tunnel.port })
