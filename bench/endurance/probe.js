// Loaded into `tunless up` before it starts: answers on IPC how long its event loop and its garbage collector took, and its memory.
// What the main thread waited for a CPU meanwhile, by Linux's own count, is told apart: then the kernel ran someone else.
import { openSync, readSync } from 'node:fs'
import { constants, createHistogram, PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How often the event loop is looked at, ms: the least that Node's timers know. */
const period = 1
/** The main thread's, where there is one: ns on a CPU, ns runnable without one, and how often it got one. */
const schedstat = open('/proc/self/schedstat')
const line = Buffer.alloc(96)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
/** Of each turn of the event loop: how late it was, and how late without waiting for a CPU. ns. */
const seen = createHistogram()
const own = createHistogram()
/** Times in which the thread waited for a CPU, since the last question: waits[i] ms from some time in from[i] to to[i]. */
let from = []
let to = []
let waits = []
let pauses = []
let at = performance.now()
let waited = waitedSoFar()

setInterval(() => {
  const now = performance.now()
  const waitedNow = waitedSoFar()
  const wait = waitedNow - waited
  record(seen, now - at - period)
  record(own, now - at - period - wait)
  if (wait > 0) {
    from.push(at)
    to.push(now)
    waits.push(wait)
  }
  at = now
  waited = waitedNow
}, period).unref()

new PerformanceObserver(list => {
  for (const { startTime, duration, detail } of list.getEntries())
    pauses.push({ startTime, duration, minor: detail.kind === constants.NODE_PERFORMANCE_GC_MINOR })
}).observe({ entryTypes: ['gc'] })

function open(path) {
  try {
    return openSync(path)
  } catch {}
}

/** ms; 0 where the system does not tell. */
function waitedSoFar() {
  if (schedstat === undefined) return 0
  const length = readSync(schedstat, line, 0, line.length, 0)
  return Number(line.latin1Slice(0, length).split(' ')[1]) / 1e6
}

function record(histogram, milliseconds) {
  histogram.record(Math.max(1, Math.round(milliseconds * 1e6)))
}

/** The least that the collector itself took of it, ms. */
function withoutWaiting({ startTime, duration }) {
  let left = duration
  for (let i = 0; i < waits.length; i++) if (to[i] > startTime && from[i] < startTime + duration) left -= waits[i]
  return Math.max(0, left)
}

const summary = histogram => ({ p99: histogram.percentile(99) / 1e6, most: histogram.max / 1e6 })

process.on('message', ({ id, garbage }) => {
  if (garbage) collect()
  const { rss, heapUsed, external } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  process.send({
    id,
    at: performance.now(),
    knowsWaits: schedstat !== undefined,
    waited: waitedSoFar(),
    loop: { seen: summary(seen), own: summary(own) },
    pauses: pauses.map(pause => ({ seen: pause.duration, own: withoutWaiting(pause), minor: pause.minor })),
    rss,
    heap: heapUsed,
    external,
    cpu: (user + system) / 1e6,
  })
  if (garbage) {
    seen.reset()
    own.reset()
  }
  pauses = []
  from = []
  to = []
  waits = []
})
// What asks is to keep nothing alive.
process.channel?.unref()
