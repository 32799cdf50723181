// What a flow gets over long, lossy and narrow paths, in virtual time: paths.js [--only TEXT] [--control NAME] [--seconds N]
// [--seeds N] [--crypto plain|node|noble] [--json]. Each row says what it should be; the exit code is 1 if one is not. A row is
// the medians of three seeds, or of N. Both hosts run the same code, so what is measured is TCP and not the machine.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { congestionControls } from '../dist/core/netstack/congestion-control.js'
import { paths } from './paths/paths.js'
import { judge, median, printHeader, printRow } from './paths/report.js'
import { tell } from './shared/results.js'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [''] },
    control: { type: 'string' },
    seconds: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    crypto: { type: 'string', default: 'plain' },
    json: { type: 'boolean', default: false },
  },
})
const controls = values.control === undefined ? Object.keys(congestionControls) : [values.control]
const seeds = Number(values.seeds)
const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
const begun = performance.now()

const rows = paths
  .filter(path => values.only.some(text => path.id.includes(text)))
  .flatMap(path =>
    controls.flatMap(control => ['up', 'down'].map(direction => ({ path, control, direction, runs: [] }))),
  )
const jobs = rows.flatMap(row =>
  Array.from({ length: seeds }, (_, index) => ({
    row,
    job: {
      path: row.path.id,
      control: row.control,
      direction: row.direction,
      seed: index + 1,
      seconds,
      crypto: values.crypto,
    },
  })),
)

if (!values.json) printHeader()
let printed = 0
await Promise.all(Array.from({ length: Math.min(availableParallelism(), jobs.length) }, work))
if (values.json)
  console.log(
    JSON.stringify(
      rows.map(({ path, ...row }) => ({ path: path.id, ...row })),
      null,
      2,
    ),
  )
const missed = rows.flatMap(({ aims }) => aims.filter(({ held }) => !held)).length
console.error(`${missed} aims missed; ${((performance.now() - begun) / 1000).toFixed(0)} s`)
tell(
  rows.map(({ path, control, direction, runs }) => ({
    id: `${path.id}/${direction}-${control}`,
    rounds: runs.map(({ goodput }) => goodput),
    unit: 'Mbit/s',
    better: 'higher',
  })),
)
process.exitCode = missed > 0 || rows.length === 0 ? 1 : 0

/** Takes jobs until there are no more. */
async function work() {
  const worker = new Worker(new URL('./paths/worker.js', import.meta.url))
  try {
    for (let next = jobs.shift(); next !== undefined; next = jobs.shift()) {
      const { row, job } = next
      row.runs.push(await answer(worker, job))
      if (row.runs.length < seeds) continue
      row.measured = median(row.runs)
      row.aims = judge(row.path, row.control, row.measured)
      while (!values.json && rows[printed]?.aims !== undefined) printRow(rows[printed++])
    }
  } finally {
    await worker.terminate()
  }
}

function answer(worker, job) {
  return new Promise((resolve, reject) => {
    const settle = (listener, value) => {
      worker.off('message', onMessage)
      worker.off('error', onError)
      listener(value)
    }
    const onMessage = measured => settle(resolve, measured)
    const onError = error => settle(reject, error)
    worker.on('message', onMessage)
    worker.on('error', onError)
    worker.postMessage(job)
  })
}
