// A BBR flow on a bottleneck, with its model laid open.
import { type Bbr, createBbr } from '../../src/core/netstack/bbr/bbr.js'
import { type BbrParameters, defaultParameters } from '../../src/core/netstack/bbr/parameters.js'
import { type BbrState, stateNames } from '../../src/core/netstack/bbr/state.js'
import type { Flow } from './congestion-flow.js'
import { type Bottleneck, type BottleneckOptions, createBottleneck } from './congestion-path.js'

export type StateName = (typeof stateNames)[number]

export interface BbrFlow {
  readonly path: Bottleneck
  readonly flow: Flow
  readonly control: Bbr
  readonly model: BbrState
  readonly state: StateName
  /** States that were entered, in their order, with their times. */
  readonly history: { readonly state: StateName; readonly at: number }[]
  runUntil(time: number): void
  /** Runs until a state is entered; fails after `limit` ms. */
  runTo(state: StateName, limit?: number): void
}

export function createBbrFlow(options: BottleneckOptions, parameters: BbrParameters = defaultParameters): BbrFlow {
  const path = createBottleneck(options)
  let control: Bbr | undefined
  const flow = path.addFlow(start => {
    control = createBbr(start, parameters)
    return control
  })
  const bbr = control as unknown as Bbr
  const history: { state: StateName; at: number }[] = [{ state: 'startup', at: 0 }]
  const self: BbrFlow = {
    path,
    flow,
    control: bbr,
    model: bbr.model,
    get state() {
      return stateNames[bbr.model.state] as StateName
    },
    history,
    runUntil(time) {
      while (path.clock.step(time)) note()
      path.clock.runUntil(time)
    },
    runTo(state, limit = 20_000) {
      const until = path.clock.now + limit
      do {
        if (!path.clock.step(until)) throw new Error(`${state} was not entered within ${limit} ms: ${self.state}`)
        note()
      } while (self.state !== state)
    },
  }
  function note(): void {
    const { state } = self
    if (state !== history.at(-1)?.state) history.push({ state, at: path.clock.now })
  }
  return self
}

/** Mbit/s of payload that a path of so many Mbit/s carries. */
export function payloadRate(rate: number): number {
  return (rate * 1368) / 1508
}

/** Of bytes a millisecond. */
export function mbit(rate: number): number {
  return (rate * 8) / 1000
}
