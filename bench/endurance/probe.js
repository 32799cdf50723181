// Loaded into `tunless up` before it starts: answers on IPC how long its event loop and its garbage collector took, and its memory.
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The least that Node's histogram can be asked for, ms; it is in each of its values. */
const resolution = 1

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const loop = monitorEventLoopDelay({ resolution })
loop.enable()
let pauses = []
new PerformanceObserver(list => {
  for (const { duration, detail } of list.getEntries())
    pauses.push({ duration, minor: detail.kind === constants.NODE_PERFORMANCE_GC_MINOR })
}).observe({ entryTypes: ['gc'] })

process.on('message', ({ id, garbage }) => {
  if (garbage) collect()
  const { rss, heapUsed, external } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  process.send({
    id,
    loop: { p99: loop.percentile(99) / 1e6 - resolution, most: loop.max / 1e6 - resolution },
    pauses,
    rss,
    heap: heapUsed,
    external,
    cpu: (user + system) / 1e6,
  })
  if (garbage) loop.reset()
  pauses = []
})
// What asks is to keep nothing alive.
process.channel?.unref()
