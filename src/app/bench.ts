// `tunless bench`: the short suite, on what the package brings.
import { createAeadSuite } from './bench/aead.js'
import { createMacroSuite, floorSuite } from './bench/macro.js'
import { microSuite } from './bench/micro.js'
import { policySuite } from './bench/policy.js'
import { type BenchOptions, runBench } from './bench/run.js'

/** False if something is worse than in the base of the comparison. */
export function bench(options: BenchOptions): Promise<boolean> {
  return runBench([microSuite, policySuite, createAeadSuite(), floorSuite, createMacroSuite()], options)
}
