// The benchmarks' one entry: run.js [--only IDS] [--quick] [--json] [--compare BASE.json] [--tolerance PERCENT]. Those that take
// minutes run when they are named. docs/benchmarks.md has the ids and the JSON; `tunless bench` is a part of this.
import { parseArgs } from 'node:util'
import { createAeadSuite } from '../dist/app/bench/aead.js'
import { createMacroSuite, floorSuite } from '../dist/app/bench/macro.js'
import { microSuite } from '../dist/app/bench/micro.js'
import { policySuite } from '../dist/app/bench/policy.js'
import { runBench } from '../dist/app/bench/run.js'
import { onRequest } from './on-request.js'
import { aeadPeers } from './peers/aead.js'
import { otherClients } from './peers/clients.js'
import { transferSuite } from './transfer.js'

/** Names for more than one suite: where others are measured beside us. */
const groups = { peers: ['aead', 'macro'] }

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    compare: { type: 'string' },
    tolerance: { type: 'string' },
  },
})
const only = values.only.flatMap(text => text.split(',')).flatMap(word => groups[word] ?? [word])
const tolerance = values.tolerance === undefined ? undefined : Number(values.tolerance.replace(/ ?%$/, ''))
const failed = []
const usual = [
  microSuite,
  policySuite,
  createAeadSuite(await aeadPeers()),
  floorSuite,
  createMacroSuite(otherClients),
  transferSuite,
]
const suites = only.length === 0 ? usual : [...usual, ...onRequest(name => failed.push(name))]

try {
  if (!(tolerance === undefined || tolerance >= 0)) throw new Error(`--tolerance ${values.tolerance} is no percentage`)
  const ok = await runBench(suites, {
    effort: values.quick ? 'quick' : 'full',
    only,
    json: values.json,
    ...(values.compare !== undefined && { compare: values.compare }),
    ...(tolerance !== undefined && { tolerance }),
  })
  for (const name of failed) console.error(`bench/${name}.js: something is not as it should be, see above`)
  process.exitCode = ok && failed.length === 0 ? 0 : 1
} catch (error) {
  console.error(error.code === undefined ? error : `bench: ${error.message} (${error.code})`)
  process.exitCode = error.code === 'USAGE' ? 2 : 1
}
