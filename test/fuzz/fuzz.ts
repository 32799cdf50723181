// Runs one parser on mutated inputs. An input with an outcome that was not there before is kept and mutated further.
import type { SeededRandom } from '../../src/testing/random.js'
import { createMutator } from './mutate.js'
import type { Target } from './parsers.js'

/** Inputs that are mutated further; the oldest but the seeds make room. */
const mostKept = 400
/** A parser that takes longer over one input, ms, is at fault. */
const longestRun = 1000

export interface Failure {
  readonly target: string
  readonly run: number
  readonly input: string
  readonly error: unknown
}

export interface Outcome {
  readonly executions: number
  readonly outcomes: number
  readonly failure?: Failure
}

/** Until `enough` says so; it is asked every few hundred executions. */
export function fuzzParser(target: Target, random: SeededRandom, enough: (executions: number) => boolean): Outcome {
  const { seeds, words } = target
  const mutator = createMutator(random)
  const kept = [...seeds]
  const outcomes = new Set<string>()
  let executions = 0
  const execute = (input: Uint8Array): Failure | undefined => {
    try {
      const start = performance.now()
      const outcome = target.run(input)
      if (performance.now() - start > longestRun) throw new Error(`took longer than ${longestRun} ms`)
      if (!outcomes.has(outcome)) {
        outcomes.add(outcome)
        if (kept.length >= mostKept) kept.splice(seeds.length, 1)
        kept.push(input)
      }
      return undefined
    } catch (error) {
      return { target: target.name, run: executions, input: Buffer.from(input).toString('hex'), error }
    }
  }
  for (const seed of seeds) {
    const failure = execute(seed)
    if (failure !== undefined) return { executions, outcomes: outcomes.size, failure }
  }
  while (!enough(executions)) {
    for (let i = 0; i < 256; i++) {
      executions++
      const failure = execute(mutator.mutate(mutator.pick(kept), kept, words))
      if (failure !== undefined) return { executions, outcomes: outcomes.size, failure }
    }
  }
  return { executions, outcomes: outcomes.size }
}
