// Flows that cost their sender a packet, refused or without a byte, on their way to the log: the same one is told again after a
// while only, with how often it came, and all together are bounded, so that nobody fills a disk by being refused.
import type { FlowReport } from './flow-policy.js'

/** The same refusal is told again after this, ms. */
const interval = 10_000
/** Refusals that are remembered; the oldest makes room. */
const remembered = 1024
/** Refusals told in a second. */
const toldPerSecond = 100

export class Denials {
  readonly #known = new Map<string, { at: number; count: number }>()
  #second = Number.NEGATIVE_INFINITY
  #told = 0

  /** How often it came since it was told last, if it is to be told now; 0 if not. */
  count(report: Omit<FlowReport, 'count'>, now: number): number {
    const { outbound, protocol, source, destination, destinationPort, refusal } = report
    const key = `${outbound},${protocol},${source},${destination},${destinationPort},${refusal}`
    const known = this.#known.get(key)
    if (known !== undefined && now - known.at < interval) {
      known.count++
      return 0
    }
    if (now - this.#second >= 1000) {
      this.#second = now
      this.#told = 0
    }
    if (this.#told >= toldPerSecond) return 0
    this.#told++
    this.#known.delete(key)
    if (this.#known.size >= remembered) this.#known.delete(this.#known.keys().next().value as string)
    this.#known.set(key, { at: now, count: 0 })
    return (known?.count ?? 0) + 1
  }
}
