// A seeded generator (xoshiro128**, Blackman and Vigna): the same seed gives the same simulation. Never for keys of real tunnels.

export interface SeededRandom {
  /** A number in [0, 1). */
  next(): number
  /** An integer in [0, below). */
  integer(below: number): number
  fill(bytes: Uint8Array): void
}

export function createSeededRandom(seed: number): SeededRandom {
  const state = new Uint32Array(4)
  let mixed = seed >>> 0
  for (let i = 0; i < 4; i++) {
    mixed = (mixed + 0x9e3779b9) >>> 0
    let z = mixed
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    state[i] = z ^ (z >>> 16)
  }

  function word(): number {
    const [s0, s1, s2, s3] = state as unknown as [number, number, number, number]
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0
    const t3 = s3 ^ s1
    const t2 = s2 ^ s0
    state[0] = s0 ^ t3
    state[1] = s1 ^ t2
    state[2] = t2 ^ (s1 << 9)
    state[3] = rotate(t3, 11)
    return result
  }

  return {
    next: () => word() / 2 ** 32,
    integer: below => Math.floor((word() / 2 ** 32) * below),
    fill(bytes) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = word() >>> 24
    },
  }
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}
