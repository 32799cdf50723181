// 130,000 AllowedIPs of one device, as a full routing table has them: how long they take to load, and what a look-up costs.
// Answers are compared with a search through a plain map of prefixes.
import type { Prefix } from '../../core/base/address.js'
import { AllowedIps } from '../../core/wireguard/allowed-ips.js'
import type { Expect, Task } from './tasks.js'

const count = 130_000
const lookups = 4096

/** Prefix lengths as they are in the Internet's tables: mostly /24 and /48, some shorter. */
const shapes = {
  4: { bytes: 4, lengths: [24, 24, 24, 22, 23, 20, 19, 16, 32] },
  6: { bytes: 16, lengths: [48, 48, 48, 32, 36, 40, 44, 64, 128] },
} as const

interface Owner {
  readonly id: number
}

interface Routes {
  readonly prefixes: readonly Prefix[]
  readonly owners: readonly Owner[]
  readonly table: AllowedIps<Owner>
  /** Addresses to look up; half of them lie in some prefix, half anywhere. */
  readonly asked: Uint8Array
}

export function allowedIpsTasks(): Task[] {
  return ([4, 6] as const).flatMap(family => {
    const { bytes } = shapes[family]
    let made: Routes | undefined
    const routes = () => {
      made ??= createRoutes(family)
      return made
    }
    const check = (expect: Expect) => checkRoutes(routes(), family, expect)
    return [
      {
        id: `micro/allowed-ips-v${family}/tunless`,
        operations: lookups,
        check,
        run() {
          const { table, asked } = routes()
          let found = 0
          for (let i = 0; i < lookups; i++) if (table.lookup(asked, i * bytes, bytes) !== undefined) found++
          if (found < lookups / 2) throw new Error('a look-up found nothing')
          return undefined
        },
      },
      {
        id: `micro/allowed-ips-load-v${family}/tunless`,
        operations: 1,
        unit: 'ms',
        check,
        run() {
          const { prefixes, owners } = routes()
          load(prefixes, owners)
          return undefined
        },
      },
    ]
  })
}

function createRoutes(family: 4 | 6): Routes {
  const { bytes, lengths } = shapes[family]
  const random = generator(family)
  const prefixes = Array.from({ length: count }, (_, i) => {
    const address = Uint8Array.from({ length: bytes }, () => random() & 255)
    if (bytes === 16) address.set([0x20, 0x01])
    return { address, length: lengths[i % lengths.length] as number }
  })
  const owners = Array.from({ length: 100 }, (_, id) => ({ id }))
  const asked = new Uint8Array(lookups * bytes)
  for (let i = 0; i < asked.length; i++) asked[i] = random()
  for (let i = 0; i < lookups; i += 2) asked.set((prefixes[random() % count] as Prefix).address, i * bytes)
  return { prefixes, owners, table: load(prefixes, owners), asked }
}

function load(prefixes: readonly Prefix[], owners: readonly Owner[]): AllowedIps<Owner> {
  const table = new AllowedIps<Owner>()
  prefixes.forEach((prefix, i) => {
    table.add(prefix, owners[i % owners.length] as Owner)
  })
  return table
}

function checkRoutes({ prefixes, owners, table, asked }: Routes, family: 4 | 6, expect: Expect): void {
  const { bytes, lengths } = shapes[family]
  const plain = new Map(prefixes.map(({ address, length }, i) => [key(address, 0, length), i % owners.length]))
  const longestFirst = [...new Set<number>(lengths)].sort((a, b) => b - a)
  for (let i = 0; i < lookups; i++) {
    const owner = longestFirst
      .map(length => plain.get(key(asked, i * bytes, length)))
      .find(found => found !== undefined)
    expect(`the owner of address ${i}`, table.lookup(asked, i * bytes, bytes)?.id ?? -1, owner ?? -1)
  }
}

function key(address: Uint8Array, offset: number, length: number): string {
  let text = `${length}`
  for (let bit = 0; bit < length; bit += 8) {
    const kept = Math.min(8, length - bit)
    text += `.${(address[offset + (bit >> 3)] as number) & (0xff00 >> kept)}`
  }
  return text
}

/** mulberry32: whole numbers below 2^32. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}
