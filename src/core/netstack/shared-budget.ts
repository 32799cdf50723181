// A bound on what all connections of a stack hold together, and each one's fair share of it. Nothing is reserved and nobody
// is counted: who holds more meets the bound earlier (dynamic thresholds, Choudhury and Hahne 1998), in two levels, so that
// one connection cannot take everything, nor one path with any number of them.

/** Of what is free, so much may a holder have however much its path holds … */
const modestPart = 1 / 1024
/** … until the path holds this part of everything; and this part, when its holders are all at their floor. */
const modestLimit = 5 / 8
const floorLimit = 7 / 8
/** What a path may hold whatever the others do: enough for its connections to go on, slowly. */
export const pathReserve = 65536

export class SharedBudget {
  /** Held by all. */
  used = 0
  readonly limit: number
  readonly #paths = new Map<number, PathShare>()

  constructor(limit: number) {
    this.limit = limit
  }

  /** The account of a path; {@link leave} once for each call. */
  join(path: number): PathShare {
    let share = this.#paths.get(path)
    if (share === undefined) {
      share = new PathShare(this, path)
      this.#paths.set(path, share)
    }
    share.members++
    return share
  }

  leave(share: PathShare): void {
    if (--share.members === 0) this.#paths.delete(share.path)
  }
}

/** What the connections of one path hold. */
export class PathShare {
  readonly budget: SharedBudget
  readonly path: number
  used = 0
  members = 0

  constructor(budget: SharedBudget, path: number) {
    this.budget = budget
    this.path = path
  }

  /** Counts what is taken, or, below zero, given back. */
  take(amount: number): void {
    this.used += amount
    this.budget.used += amount
  }

  /**
   * What one holder may have now, `floor` at least. A single holder gets a third of the limit, a path with many of them
   * half of it, each of n such paths 1/(n + 1).
   */
  bound(floor: number): number {
    const { limit, used } = this.budget
    return Math.floor(Math.max(floor, limit - used - this.used, pathReserve - this.used, (limit - used) * modestPart))
  }

  /**
   * Whether `amount` more may be taken by who holds `held`: the hard bound, for what was promised while more was free. Who
   * holds little may fill more of the limit than who holds much, but a path always leaves a part to others, and none is ever
   * without its reserve. So all together hold no more than the limit and a reserve a path.
   */
  admits(amount: number, held: number, floor: number): boolean {
    const { limit, used } = this.budget
    const after = this.used + amount
    if (used + after <= limit || after <= pathReserve) return true
    if (used + amount > limit) return false
    if (held + amount <= floor) return after <= limit * floorLimit
    return held + amount <= (limit - used) * modestPart && after <= limit * modestLimit
  }
}
