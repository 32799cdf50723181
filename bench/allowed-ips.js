// 130,000 AllowedIPs of one device, as a full routing table has them: how long they take to load, and what one look-up costs.
// Run alone or by run.js. Every answer is compared with a search through a plain map of prefixes.
import { deepStrictEqual } from 'node:assert'
import { pathToFileURL } from 'node:url'
import { AllowedIps } from '../dist/core/wireguard/allowed-ips.js'

const count = 130_000
const lookups = 1_000_000

/** Prefix lengths as they are in the Internet's tables: mostly /24 and /48, some shorter. */
const shapes = {
  4: { bytes: 4, lengths: [24, 24, 24, 22, 23, 20, 19, 16, 32] },
  6: { bytes: 16, lengths: [48, 48, 48, 32, 36, 40, 44, 64, 128] },
}

function measureAllowedIps(family) {
  const { bytes, lengths } = shapes[family]
  const random = generator(family)
  const prefixes = Array.from({ length: count }, (_, i) => {
    const address = Uint8Array.from({ length: bytes }, () => random() & 255)
    if (bytes === 16) address.set([0x20, 0x01])
    return { address, length: lengths[i % lengths.length] }
  })
  const peers = Array.from({ length: 100 }, (_, id) => ({ id }))
  const table = new AllowedIps()
  const start = performance.now()
  for (let i = 0; i < count; i++) table.add(prefixes[i], peers[i % peers.length])
  const load = performance.now() - start

  // Half of what is asked for lies in some prefix, half anywhere.
  const asked = new Uint8Array(lookups * bytes)
  for (let i = 0; i < asked.length; i++) asked[i] = random()
  for (let i = 0; i < lookups; i += 2) asked.set(prefixes[random() % count].address, i * bytes)
  const plain = new Map(prefixes.map(({ address, length }, i) => [key(address, 0, length), peers[i % peers.length]]))
  for (let i = 0; i < 2000; i++) {
    const expected = [...new Set(lengths)]
      .sort((a, b) => b - a)
      .map(length => plain.get(key(asked, i * bytes, length)))
      .find(peer => peer !== undefined)
    deepStrictEqual(table.lookup(asked, i * bytes, bytes), expected)
  }
  const from = performance.now()
  let found = 0
  for (let i = 0; i < lookups; i++) if (table.lookup(asked, i * bytes, bytes) !== undefined) found++
  const lookup = ((performance.now() - from) * 1000) / lookups
  return { load, lookup, found: found / lookups }
}

function key(address, offset, length) {
  let text = `${length}`
  for (let bit = 0; bit < length; bit += 8) {
    const kept = Math.min(8, length - bit)
    text += `.${address[offset + (bit >> 3)] & (0xff00 >> kept)}`
  }
  return text
}

/** mulberry32: whole numbers below 2^32. */
function generator(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

export function printAllowedIps() {
  for (const family of [4, 6]) {
    const { load, lookup, found } = measureAllowedIps(family)
    const share = `${Math.round(found * 100)} % of them covered`
    console.log(
      `${count} AllowedIPs of IPv${family}: loaded in ${(load / 1000).toFixed(2)} s, look-up ${lookup.toFixed(2)} us (${share})`,
    )
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) printAllowedIps()
