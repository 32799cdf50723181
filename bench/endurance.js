// `tunless up` at full rate, one flow each way, for as long as is asked: endurance.js [--minutes N] [--warm-up SECONDS]. Whether its heap
// and its memory stay as they are after the warm-up, and how long its event loop and its garbage collector make others wait: as seen,
// and less what its main thread waited for a CPU (Linux), which others had. Ends with 1 where the latter is more than the limits here.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startFar } from '../dist/app/bench/contenders.js'
import { dialSocks } from '../dist/app/bench/load.js'
import { pour } from '../dist/app/bench/services.js'
import { tell } from './shared/results.js'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, 'warm-up': { type: 'string' } },
})
const seconds = Number(values.minutes) * 60
const warmUp = Number(values['warm-up'] ?? Math.min(60, seconds / 4))

const MiB = 1024 * 1024
/**
 * ms, and how much memory may grow: what is live on the heap and outside of it, from the end of the warm-up to the end, and what the
 * process has of the system, from the first to the last quarter.
 */
const limits = { p99: 5, most: 50, pause: 10, growth: { heap: 2 * MiB, external: 8 * MiB, rss: 16 * MiB } }

const { far, port, ends } = await startFar()
let asked = 0
const directory = mkdtempSync(join(tmpdir(), 'tunless-endurance-'))
const ready = join(directory, 'ready.json')
const up = fork(
  fileURLToPath(new URL('../dist/bin.cjs', import.meta.url)),
  ['up', '-q', '-D', '0', '--ready-file', ready],
  {
    execArgv: ['--import', new URL('endurance/probe.js', import.meta.url).href],
    env: { ...process.env, TUNLESS_CONFIG: ends.near(port) },
  },
)
up.once('exit', code => {
  if (code) throw new Error(`tunless up ended with ${code}`)
})
try {
  await measure(await socksPort())
} finally {
  up.kill()
  await Promise.all([once(up, 'exit'), far.stop()])
  rmSync(directory, { recursive: true, force: true })
}
process.exit()

async function socksPort() {
  for (let i = 0; i < 500; i++) {
    await pause(20)
    try {
      return JSON.parse(readFileSync(ready, 'utf8')).listeners[0].port
    } catch {}
  }
  throw new Error('tunless up is not ready after 10 s')
}

/** What the probe knows: collections since it was asked last, and the event loop since it was to collect all `garbage`. */
async function ask(garbage = false) {
  const id = ++asked
  up.send({ id, garbage })
  for (;;) {
    const [answer] = await once(up, 'message')
    if (answer.id === id) return answer
  }
}

async function measure(socks) {
  let downloaded = 0
  const [upload, download] = await Promise.all([dialSocks(socks, 'sink'), dialSocks(socks, 'source')])
  pour(upload)
  download.on('data', bytes => {
    downloaded += bytes.length
  })
  const carried = async () => (await far.usage()).bytes + downloaded
  await pause(warmUp * 1000)
  const from = { bytes: await carried(), ...(await ask(true)) }
  await ask() // of that collection
  const samples = []
  for (let elapsed = warmUp; elapsed < seconds; elapsed++) {
    await pause(1000)
    samples.push(await ask())
  }
  const bytes = (await carried()) - from.bytes
  const last = samples.at(-1)
  const to = await ask(true)
  const pauses = samples.flatMap(sample => sample.pauses)
  const longest = kind => Math.max(0, ...pauses.map(pause => pause[kind]))
  const [seen, own] = ['seen', 'own'].map(kind => ({ ...last.loop[kind], pause: longest(kind) }))
  const minor = pauses.filter(pause => pause.minor)
  const sum = (list, kind) => list.reduce((total, pause) => total + pause[kind], 0)
  const mib = value => `${(value / MiB).toFixed(1)} MiB`
  const ms = value => `${value.toFixed(1)} ms`
  const mean = kind => `${(sum(minor, kind) / Math.max(1, minor.length)).toFixed(2)} ms`
  const waiting = `the main thread waited for a CPU ${((100 * (last.waited - from.waited)) / (last.at - from.at)).toFixed(0)} % of the time`
  const share = `${(sum(pauses, 'seen') / samples.length / 10).toFixed(1)} %`
  console.log(
    `${((bytes * 8) / 1e6 / samples.length).toFixed(0)} Mbit/s for ${samples.length} s, ${((last.cpu - from.cpu) / (bytes / 1e9)).toFixed(1)} CPU s/GB
${last.knowsWaits ? waiting : 'how long the main thread waits for a CPU is not known on this system'}
collections: ${minor.length} minor of ${mean('seen')}, ${mean('own')} without waiting; ${pauses.length - minor.length} major; together ${share} of the time`,
  )
  const names = { p99: "event loop's delay, p99", most: "event loop's delay, the most", pause: 'longest collection' }
  for (const [name, what] of Object.entries(names))
    console.log(`${what}: ${ms(seen[name])}, ${ms(own[name])} without waiting; at most ${ms(limits[name])}`)
  const failures = Object.keys(names).filter(name => own[name] > limits[name])
  const growth = Object.fromEntries(['heap', 'external'].map(name => [name, [from[name], to[name]]]))
  const quarter = Math.ceil(samples.length / 4)
  const least = part => Math.min(...part.map(({ rss }) => rss))
  growth.rss = [least(samples.slice(0, quarter)), least(samples.slice(-quarter))]
  for (const [name, [first, final]] of Object.entries(growth)) {
    console.log(`${name}: ${mib(first)}, at the end ${mib(final)}; at most ${mib(limits.growth[name])} more`)
    if (final - first > limits.growth[name]) failures.push(name)
  }
  const lower = (id, value) => ({ id: `${id}/tunless`, rounds: [value], unit: 'ms', better: 'lower' })
  tell(
    Object.entries({ 'loop-p99': 'p99', 'loop-max': 'most', 'pause-max': 'pause' }).flatMap(([id, name]) => [
      lower(id, seen[name]),
      lower(`${id}-own`, own[name]),
    ]),
  )
  console.log(failures.length === 0 ? 'all within the limits' : `beyond the limits: ${failures.join(', ')}`)
  process.exitCode = failures.length === 0 ? 0 : 1
  upload.destroy()
  download.destroy()
}
