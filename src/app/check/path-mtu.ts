// How large a packet passes through the tunnel and back: by echo requests that never leave in fragments, in a binary search. A
// size that is lost twice does not pass.

/** Undefined where there was no answer; else the round trip in ms. `size` is of the whole packet inside the tunnel. */
export type Probe = (size: number, timeout: number) => Promise<number | undefined>

/** What every path carries, near enough: IPv6's least (RFC 8200, 5). Below it the search begins anew. */
const likely = 1280
const least = 576
/** Sent so often before a size counts as lost. */
const tries = 2
/** For an answer: so many round trips, at least and at most, ms. */
const roundTrips = 4
const shortest = 400
const longest = 2000

/** The largest size up to `mtu` that was answered; undefined where not even small ones are. `rtt` is of a small one. */
export async function measureMtu(probe: Probe, mtu: number, rtt: number): Promise<number | undefined> {
  const timeout = Math.min(longest, Math.max(shortest, roundTrips * rtt))
  const passes = async (size: number): Promise<boolean> => {
    for (let attempt = 0; attempt < tries; attempt++) if ((await probe(size, timeout)) !== undefined) return true
    return false
  }
  if (await passes(mtu)) return mtu
  let low = mtu > likely && (await passes(likely)) ? likely : least
  if (low === least && (mtu <= least || !(await passes(least)))) return undefined
  let high = low === least ? Math.min(mtu, likely) : mtu
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (await passes(middle)) low = middle
    else high = middle
  }
  return low
}
