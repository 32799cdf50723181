// Protocol and port to a class of ports that all clauses treat alike: a table of 65,536 for each protocol with ports.
import type { Clause } from './clauses.js'
import { hasPorts, includesPort, lastPort } from './ports.js'
import type { PortRange } from './types.js'

/** The class of ping: any clause allows it. */
export const pingClass = 0

export class PortClasses {
  /** Number of classes, ping's included. */
  readonly count: number
  /** A protocol and port of each class. */
  readonly #samples: { protocol: number; port: number }[] = [{ protocol: 0, port: 0 }]
  /** By protocol: its first class, 0 for none. */
  readonly #first = new Int32Array(256)
  readonly #tables: (Uint16Array | undefined)[] = new Array(256).fill(undefined)

  constructor(clauses: readonly Clause[]) {
    const starts = new Map<number, Set<number>>()
    for (const { ports } of clauses) {
      for (const { protocol, first, last } of ports) {
        const set = starts.get(protocol) ?? new Set([0])
        starts.set(protocol, set)
        if (!hasPorts(protocol)) continue
        set.add(first)
        if (last < lastPort) set.add(last + 1)
      }
    }
    for (const [protocol, set] of starts)
      this.#add(
        protocol,
        [...set].sort((a, b) => a - b),
      )
    this.count = this.#samples.length
  }

  #add(protocol: number, starts: readonly number[]): void {
    this.#first[protocol] = this.#samples.length
    for (const port of starts) this.#samples.push({ protocol, port })
    if (starts.length === 1) return
    const table = new Uint16Array(lastPort + 1)
    for (const [i, start] of starts.entries()) table.fill(i, start, starts[i + 1] ?? lastPort + 1)
    this.#tables[protocol] = table
  }

  /** -1 where no clause names the protocol. */
  of(protocol: number, port: number): number {
    const first = this.#first[protocol] as number
    if (first === 0) return -1
    const table = this.#tables[protocol]
    return table === undefined ? first : first + (table[port] as number)
  }

  /** Whether ports include those of a class. */
  includes(ports: readonly PortRange[], portClass: number): boolean {
    if (portClass === pingClass) return true
    const { protocol, port } = this.#samples[portClass] as { protocol: number; port: number }
    return includesPort(ports, protocol, port)
  }
}
