// npm run fuzz -- [--seconds N | --runs N] [--seed S] [--target NAME]: every parser, two TCP/IP stacks and two devices. `--seconds` is
// shared between them; `--runs` is executions a parser, and a fifth of it steps of stacks and devices. A find is printed with
// what repeats it, and ends the run with status 1.
import { parseArgs } from 'node:util'
import { createSeededRandom } from '../../src/testing/random.js'
import { createDeviceFuzz } from './devices.js'
import { type Failure, fuzzParser } from './fuzz.js'
import { parsers } from './parsers.js'
import { createStackFuzz } from './stacks.js'

/** Steps until a run of many steps begins anew, with the next seed. */
const stepsPerRun = 2000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    target: { type: 'string' },
  },
})
const seed = Number(values.seed)
const runs = values.runs === undefined ? undefined : Number(values.runs)
const stepped = { stacks: createStackFuzz, devices: createDeviceFuzz }
const names = [...parsers.map(parser => parser.name), ...Object.keys(stepped)]
if (values.target !== undefined && !names.includes(values.target)) {
  console.error(`no such target: ${values.target}; there are ${names.join(', ')}`)
  process.exit(2)
}
const chosen = names.filter(name => values.target === undefined || name === values.target)
const milliseconds = (Number(values.seconds ?? 20) * 1000) / chosen.length
const failures: Failure[] = []

function heap(): string {
  globalThis.gc?.()
  return `${(process.memoryUsage().heapUsed / 2 ** 20).toFixed(1)} MiB`
}

/** Whether the share of time or executions is used up. */
function share(divisor: number): (executions: number) => boolean {
  const end = performance.now() + milliseconds
  return executions => (runs === undefined ? performance.now() >= end : executions >= runs / divisor)
}

console.log(`seed ${seed}; heap after collection ${heap()}`)
for (const parser of parsers.filter(({ name }) => chosen.includes(name))) {
  const { executions, outcomes, failure } = fuzzParser(parser, createSeededRandom(seed), share(1))
  if (failure !== undefined) failures.push(failure)
  console.log(`${parser.name.padEnd(12)} ${executions} executions, ${outcomes} distinct outcomes, heap ${heap()}`)
}

for (const [name, create] of Object.entries(stepped)) {
  if (!chosen.includes(name)) continue
  const enough = share(5)
  const outcomes = new Set<string>()
  let steps = 0
  const sizes: Record<string, number> = {}
  for (let run = seed; !enough(steps); run++) {
    const fuzz = create(run)
    try {
      for (let i = 0; i < stepsPerRun && !enough(steps); i++, steps++) outcomes.add(fuzz.step())
      for (const [table, size] of Object.entries(fuzz.sizes())) sizes[table] = Math.max(sizes[table] ?? 0, size)
    } catch (error) {
      failures.push({ target: name, run: steps, input: String(run), error })
      break
    }
  }
  const tables = Object.entries(sizes).map(([table, size]) => `${table} ${size}`)
  console.log(
    `${name.padEnd(12)} ${steps} steps, ${outcomes.size} distinct outcomes, heap ${heap()}; at most ${tables.join(', ')}`,
  )
}

for (const { target, run, input, error } of failures) {
  console.log(`\nFOUND in ${target}, execution ${run} of seed ${seed}:`)
  console.log(JSON.stringify({ target, found: '', input }))
  console.log(error instanceof Error ? error.stack : error)
}
process.exitCode = failures.length === 0 ? 0 : 1
