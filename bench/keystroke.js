// How long the echo of a keystroke takes while the same tunnel carries an upload, and on its own, by turns: keystroke.js [--rounds N]
// [--seconds N] [--uploads N] [--limit MS]. Two tunnels on loopback; or an `up -D` that runs already: --socks PORT --host ADDRESS
// --echo PORT --sink PORT, and --typed 'ssh … cat' where that is what echoes. Ends with 1 where the 99th percentile grows by more.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startTunless } from '../dist/app/bench/contenders.js'
import { dial, dialSocks } from '../dist/app/bench/load.js'
import { pour } from '../dist/app/bench/services.js'
import { tell } from './shared/results.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    uploads: { type: 'string', default: '1' },
    limit: { type: 'string', default: '5' },
    socks: { type: 'string' },
    host: { type: 'string' },
    echo: { type: 'string' },
    sink: { type: 'string' },
    typed: { type: 'string' },
    bulk: { type: 'string' },
  },
})
/** Between two keystrokes, ms: faster than anyone types, and in step with nothing. */
const typing = 23
/** For the path's rate to be found, and for queues to empty, ms. */
const settling = 2500

if (values.bulk !== undefined) await upload(JSON.parse(values.bulk))
else await measure()

async function measure() {
  const way = values.socks === undefined ? await ownWay() : givenWay()
  const added = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const stream = await way.echo()
    const idle = await type(stream)
    const child = fork(import.meta.filename, ['--bulk', JSON.stringify(way.bulk), '--uploads', values.uploads])
    await once(child, 'message')
    await pause(settling)
    const before = await way.carried()
    const busy = await type(stream)
    const megabits = ((await way.carried()) - before) / 1e6 / Number(values.seconds)
    child.kill()
    await once(child, 'exit')
    stream.destroy()
    await pause(settling)
    added.push(busy.p99 - idle.p99)
    console.log(
      `idle ${show(idle)}   beside ${values.uploads} upload(s)${megabits > 0 ? ` of ${megabits.toFixed(0)} Mbit/s` : ''} ${show(busy)}`,
    )
  }
  await way.close()
  const more = added.toSorted((a, b) => a - b)[added.length >> 1]
  console.log(`p99 + ${more.toFixed(1)} ms (median of the rounds), at most ${values.limit}`)
  tell([{ id: 'added-p99/tunless', rounds: added, unit: 'ms', better: 'lower' }])
  process.exitCode = more > Number(values.limit) ? 1 : 0
}

function show({ p50, p99, most }) {
  return `p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} max ${most.toFixed(1)} ms`
}

/** Types for as long as was asked for; ms that the echoes took. */
async function type(stream) {
  const sent = []
  const took = []
  const hear = bytes => {
    const now = performance.now()
    for (let i = 0; i < bytes.length; i++) took.push(now - sent[took.length])
  }
  stream.readable.on('data', hear)
  const end = performance.now() + Number(values.seconds) * 1000
  while (performance.now() < end) {
    sent.push(performance.now())
    stream.writable.write('k')
    await pause(typing)
  }
  for (let i = 0; took.length < sent.length && i < 500; i++) await pause(10)
  stream.readable.off('data', hear)
  if (took.length < sent.length)
    throw new Error(`${sent.length - took.length} of ${sent.length} keystrokes had no echo in 5 s`)
  took.sort((a, b) => a - b)
  return { p50: took[took.length >> 1], p99: took[Math.floor(took.length * 0.99)], most: took.at(-1) }
}

/** A tunnel between two processes of ours. */
async function ownWay() {
  const tunless = await startTunless()
  return {
    async echo() {
      const socket = await tunless.connect('hold')
      return { readable: socket, writable: socket, destroy: () => socket.destroy() }
    },
    bulk: { socks: tunless.socks },
    carried: async () => (await tunless.farUsage()).bytes * 8,
    close: () => tunless.stop(),
  }
}

function givenWay() {
  const socks = Number(values.socks)
  return {
    async echo() {
      if (values.typed === undefined) {
        const socket = await dialBy(socks, values.host, Number(values.echo))
        return { readable: socket, writable: socket, destroy: () => socket.destroy() }
      }
      const child = spawn('sh', ['-c', `exec ${values.typed}`], { stdio: ['pipe', 'pipe', 'inherit'] })
      child.stdin.write('.')
      await once(child.stdout, 'data')
      return { readable: child.stdout, writable: child.stdin, destroy: () => child.kill() }
    },
    bulk: { socks, host: values.host, port: Number(values.sink) },
    carried: async () => 0,
    async close() {},
  }
}

/** In a process of its own, for what it costs is not the echo's. */
async function upload({ socks, host, port }) {
  for (let i = 0; i < Number(values.uploads); i++) {
    pour(host === undefined ? await dialSocks(socks, 'sink') : await dialBy(socks, host, port))
  }
  process.send('uploading')
}

async function dialBy(socks, host, port) {
  const socket = await dial(socks)
  socket.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, ...host.split('.').map(Number), port >> 8, port & 255))
  for (let answer = Buffer.alloc(0); answer.length < 12; ) {
    const [bytes] = await once(socket, 'data')
    answer = Buffer.concat([answer, bytes])
    if (answer.length >= 4 && answer[3] !== 0) throw new Error(`the proxy refuses with ${answer[3]}`)
  }
  return socket
}
