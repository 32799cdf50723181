// A download through a flood: flood.js [--seconds N] [--kind wrong-mac1|valid-mac1|replay]. For each kind the download runs once beside the same flood to a port that nobody
// reads, the control, and once with the flood at its own port, from 10,000 addresses of 127/8. Prints throughput, growth of
// memory, the fullest that queue and limiter were, and the event loop's delay; then `handleDatagram` a second without UDP.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { defaultLimits } from '../dist/core/wireguard/constants.js'
import { Device } from '../dist/core/wireguard/device.js'
import { selectCrypto } from '../dist/node/crypto/select.js'
import { clientConf, createKeys, serverConf } from './shared/ends.js'
import { tell } from './shared/results.js'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' }, kind: { type: 'string' } } })
const seconds = Number(values.seconds)
const sources = 10_000
const rates = { 'wrong-mac1': 100_000, 'valid-mac1': 25_000, replay: 10_000 }
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function start(name, ...args) {
  const child = fork(new URL(`./flood/${name}.js`, import.meta.url), args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  children.add(child)
  child.on('exit', () => children.delete(child))
  return child
}

async function heard(child, field) {
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs[1]} ended with ${code} before it said its ${field}`)
  })
  failed.catch(() => {})
  for (;;) {
    const [message] = await Promise.race([once(child, 'message'), failed])
    if (message[field] !== undefined) return message[field]
  }
}

async function stop(child) {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function measure(kind, isControl) {
  const [server, client] = [createKeys(), createKeys()]
  const far = start('serve', serverConf(server, client))
  const near = start('download', clientConf(server, client, await heard(far, 'port')))
  const port = await heard(near, 'port')
  await sleep(2000) // the download finds its pace
  let messages
  if (kind === 'replay') {
    near.send('record')
    messages = await heard(near, 'messages')
  }
  const unread = start('unread')
  const target = isControl ? await heard(unread, 'port') : port
  const sender = start('sender')
  await heard(sender, 'up')
  sender.send({ kind, port: target, rate: rates[kind], sources, publicKey: client.publicKey, messages })
  await heard(sender, 'ready')
  await sleep(1000)
  let sent = 0
  sender.on('message', message => {
    sent += message.sent ?? 0
  })
  near.send('start')
  await sleep(seconds * 1000)
  near.send('stop')
  const result = await heard(near, 'result')
  await Promise.all([far, near, unread, sender].map(stop))
  return { ...result, sentPerSecond: sent / seconds }
}

const show = (number, digits = 0) => number.toFixed(digits)

for (const kind of Object.keys(rates)) {
  if (values.kind !== undefined && values.kind !== kind) continue
  const control = await measure(kind, true)
  const flood = await measure(kind, false)
  const { peak, counters } = flood
  console.log(
    `\n${kind}, ${rates[kind]}/s asked for; sent ${show(control.sentPerSecond)} and ${show(flood.sentPerSecond)}/s`,
  )
  console.log(
    `  download: control ${show(control.megabits)} Mbit/s, under the flood ${show(flood.megabits)}: ` +
      `${show((flood.megabits / control.megabits) * 100)} % (70 % is the aim)`,
  )
  console.log(
    `  event loop's delay, p99: control ${show(control.delay, 1)} ms, under the flood ${show(flood.delay, 1)} (below 20)`,
  )
  console.log(
    `  memory grew by ${show(flood.rssGrowth, 1)} MiB (below 16), control ${show(control.rssGrowth, 1)}; V8's heap by ${show(flood.heapGrowth, 1)}`,
  )
  console.log(
    `  at most ${peak.queuedHandshakes} of ${defaultLimits.queuedHandshakes} handshakes queued, ` +
      `${peak.limitedSources} of ${defaultLimits.sources} sources limited, ${peak.indices} indices`,
  )
  console.log(`  ${JSON.stringify(counters)}`)
  const share = (100 * flood.megabits) / control.megabits
  tell([{ id: `${kind}/tunless`, rounds: [share], unit: '%', better: 'higher' }])
}

/** Initiations with a wrong MAC1 straight into a device. */
function datagramsPerSecond(crypto) {
  const memory = crypto.createMemory(2 ** 20, 2048)
  const device = new Device({
    crypto,
    memory,
    random: bytes => bytes.fill(7),
    sink: { sendDatagram: slot => memory.free(slot), deliverPacket: slot => memory.free(slot), report: () => {} },
  })
  device.setPrivateKey(new Uint8Array(32).fill(3), 0)
  const source = { address: Uint8Array.of(127, 0, 0, 1), port: 1 }
  const message = new Uint8Array(148).fill(9)
  message.set([1, 0, 0, 0])
  const count = 1_000_000
  const run = () => {
    const begun = performance.now()
    for (let i = 0; i < count; i++) {
      const slot = memory.alloc()
      memory.u8.set(message, slot)
      device.handleDatagram(slot, message.length, source, 0)
    }
    return count / ((performance.now() - begun) / 1000)
  }
  run()
  const rate = Math.max(run(), run(), run())
  if (device.counters.badMac1 !== 4 * count) throw new Error('not all had a wrong MAC1')
  return rate
}

console.log()
for (const name of ['node', 'noble'])
  console.log(
    `${name}: ${show(datagramsPerSecond(selectCrypto(name)))} handleDatagram a second, wrong MAC1 (500000 is the aim)`,
  )
