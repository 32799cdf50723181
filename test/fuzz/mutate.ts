// Changes to an input, drawn from a seeded generator: bits, numbers at their edges, pieces moved, doubled, lost or taken from
// another input, words of the format.
import type { SeededRandom } from '../../src/testing/random.js'

const edges = [0, 1, 2, 3, 4, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255]
const wideEdges = [0, 1, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]
const longest = 4096

export interface Mutator {
  /** A changed copy. */
  mutate(input: Uint8Array, others: readonly Uint8Array[], words?: readonly Uint8Array[]): Uint8Array
  pick<T>(from: readonly T[]): T
}

export function createMutator(random: SeededRandom): Mutator {
  const pick = <T>(from: readonly T[]): T => from[random.integer(from.length)] as T

  function replace(input: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
    const output = new Uint8Array(from + by.length + input.length - to)
    output.set(input.subarray(0, from))
    output.set(by, from)
    output.set(input.subarray(to), from + by.length)
    return output.length > longest ? output.slice(0, longest) : output
  }

  function once(input: Uint8Array, others: readonly Uint8Array[], words: readonly Uint8Array[]): Uint8Array {
    const { length } = input
    if (length === 0) return Uint8Array.from({ length: random.integer(64) }, () => random.integer(256))
    const output = input.slice()
    const view = new DataView(output.buffer)
    const at = random.integer(length)
    const to = at + random.integer(Math.min(64, length - at) + 1)
    switch (random.integer(words.length > 0 ? 12 : 10)) {
      case 0:
        output[at] = (output[at] as number) ^ (1 << random.integer(8))
        return output
      case 1:
        output[at] = pick(edges)
        return output
      case 2:
        output[at] = random.integer(256)
        return output
      case 3:
        if (at + 2 <= length) view.setUint16(at, pick(wideEdges) & 0xffff, random.next() < 0.5)
        return output
      case 4:
        if (at + 4 <= length) view.setUint32(at, pick(wideEdges), random.next() < 0.5)
        return output
      case 5:
        return input.slice(0, at)
      case 6:
        return replace(input, at, to, new Uint8Array(0))
      case 7:
        return replace(input, at, at, input.subarray(at, to))
      case 8:
        return replace(
          input,
          at,
          at,
          Uint8Array.from({ length: random.integer(16) }, () => random.integer(256)),
        )
      case 9: {
        const other = others.length > 0 ? pick(others) : input
        const from = random.integer(other.length + 1)
        return replace(input, at, random.next() < 0.5 ? to : length, other.subarray(from))
      }
      default:
        return replace(input, at, random.next() < 0.5 ? at : to, pick(words))
    }
  }

  return {
    pick,
    mutate(input, others, words = []) {
      let output = input
      for (let left = 1 + random.integer(4); left > 0; left--) output = once(output, others, words)
      return output
    },
  }
}
