// What the fuzzer found, once mended: each input stays as a test of its target.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Find {
  readonly target: string
  /** What was wrong. */
  readonly found: string
  /** Hexadecimal; a seed, for targets that are runs of many steps. */
  readonly input: string
}

/** Each file of corpus/ is one find. */
export function readCorpus(folder = join(import.meta.dirname, 'corpus')): Find[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')))
}
