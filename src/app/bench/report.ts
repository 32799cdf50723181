// What a run of the benchmarks gives: one figure for each id, and on what it was measured. docs/benchmarks.md has the JSON.
import { availableParallelism, cpus, loadavg } from 'node:os'
import { selectCrypto } from '../../node/crypto/select.js'
import { readVersion } from '../version.js'

/** Of the JSON; a change that a reader could stumble over makes it another. */
export const schema = 1

/** `quick` takes seconds and tells what is broken; `short` is `tunless bench`; `full` is `npm run bench`. */
export type Effort = 'quick' | 'short' | 'full'

export type Unit = 'us' | 'ms' | 's/GB' | 'KiB' | 'MiB' | 'Mbit/s' | '1/s' | '%' | 'x'

/** A figure: the median of its rounds. */
export interface Result {
  /** `suite/what/who`; the same in every release as long as it measures the same. */
  readonly id: string
  readonly value: number
  readonly unit: Unit
  readonly better: 'lower' | 'higher'
  /** The least and the greatest of the rounds. */
  readonly low: number
  readonly high: number
}

/** What could not be measured here: an id, or the beginning of some. */
export interface Skipped {
  readonly id: string
  readonly reason: string
}

export interface Report {
  readonly schema: typeof schema
  readonly tunless: string
  readonly node: string
  readonly platform: string
  readonly arch: string
  readonly cpu: string
  readonly cores: number
  /** Of the last minute, before the run. */
  readonly load: number
  /** The crypto backend that is the default here. */
  readonly backend: string
  readonly effort: Effort
  /** Results compared with vectors before anything was timed. */
  readonly checked: number
  readonly results: readonly Result[]
  readonly skipped: readonly Skipped[]
}

/** What a suite is handed. */
export interface Recorder {
  readonly effort: Effort
  /** Whether an id is asked for, or anything that begins with it. */
  wants(id: string): boolean
  /** The rounds of one figure. */
  add(id: string, rounds: readonly number[], unit: Unit, better: Result['better']): void
  skip(id: string, reason: string): void
  /** So many results were compared with vectors and equal. */
  checked(count: number): void
  /** Tells who waits what is being done. */
  say(what: string): void
}

export interface Suite {
  /** The first part of its ids. */
  readonly name: string
  /** Rejects with BENCH_WRONG_RESULT before it times anything that is wrong. */
  run(recorder: Recorder): Promise<void>
}

export function describeMachine(): Omit<Report, 'effort' | 'checked' | 'results' | 'skipped'> {
  const version = readVersion()
  return {
    schema,
    tunless: version,
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    backend: selectCrypto().name,
  }
}

/** Keeps what `suites` record. `only`: ids, or beginnings of them, that are asked for; all without it. */
export class Recording implements Recorder {
  readonly effort: Effort
  readonly results: Result[] = []
  readonly skipped: Skipped[] = []
  comparisons = 0
  readonly #only: readonly string[]
  readonly #say: (what: string) => void

  constructor(effort: Effort, only: readonly string[], say: (what: string) => void = () => {}) {
    this.effort = effort
    this.#only = only
    this.#say = say
  }

  wants(id: string): boolean {
    return isWanted(id, this.#only)
  }

  add(id: string, rounds: readonly number[], unit: Unit, better: Result['better']): void {
    if (!this.wants(id)) return
    const sorted = rounds.toSorted((a, b) => a - b)
    const [value, low, high] = [median(sorted), sorted[0] ?? Number.NaN, sorted.at(-1) ?? Number.NaN].map(round)
    this.results.push({ id, value: value as number, unit, better, low: low as number, high: high as number })
  }

  skip(id: string, reason: string): void {
    if (this.wants(id)) this.skipped.push({ id, reason })
  }

  checked(count: number): void {
    this.comparisons += count
  }

  say(what: string): void {
    this.#say(what)
  }
}

/** Whether `id`, or anything that begins with it, is among `only`; an empty list is everything. */
export function isWanted(id: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some(word => begins(id, word) || begins(word, id))
}

/** Whole parts between slashes. */
function begins(id: string, word: string): boolean {
  return id === word || id.startsWith(`${word}/`)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle] as number
  return sorted.length === 0 ? Number.NaN : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** Four digits that mean something. */
function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : value
}
