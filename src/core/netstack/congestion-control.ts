// The congestion controls by their names, and the one that is taken where none is named.
import { createBbr } from './bbr/bbr.js'
import type { CongestionControl, CongestionControlFactory, CongestionStart } from './congestion.js'
import { createCubic } from './cubic.js'

export const congestionControls = { bbr: createBbrWithSack, cubic: createCubic } satisfies Record<
  string,
  CongestionControlFactory
>

export type CongestionControlName = keyof typeof congestionControls

/** What measured best over long, lossy and short paths alike (bench/paths). */
export const defaultCongestionControl: CongestionControlName = 'bbr'

/** Without SACK nobody can say how much was delivered when; CUBIC needs to know less. */
function createBbrWithSack(start: CongestionStart): CongestionControl {
  return start.selectiveAcks ? createBbr(start) : createCubic(start)
}

export function isCongestionControlName(name: unknown): name is CongestionControlName {
  return typeof name === 'string' && Object.hasOwn(congestionControls, name)
}

/** The names, as a sentence has them. */
export function listCongestionControls(): string {
  return Object.keys(congestionControls).join(' or ')
}

/** What was named or given, else the default. Throws RangeError for an unknown name. */
export function selectCongestionControl(
  choice: CongestionControlName | CongestionControlFactory = defaultCongestionControl,
): CongestionControlFactory {
  if (typeof choice === 'function') return choice
  if (!isCongestionControlName(choice)) {
    throw new RangeError(`there is no congestion control '${String(choice)}': use ${listCongestionControls()}`)
  }
  return congestionControls[choice]
}
