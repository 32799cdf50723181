// Longest-prefix match over IPv4 and IPv6 prefixes, kept apart: a path-compressed binary trie in flat arrays, one a
// family. Used for AllowedIPs, routes and policies.
import { type IpAddress, maskAddress, type Prefix } from './address.js'

export interface PrefixTable<T> {
  /** Prefixes held, of both families. */
  readonly size: number
  /** Adds a prefix or replaces its value. */
  insert(prefix: Prefix, value: T): void
  /** Removes exactly this prefix; false if it was not there. */
  remove(prefix: Prefix): boolean
  /** The value of exactly this prefix. */
  get(prefix: Prefix): T | undefined
  /** The value of the longest prefix that covers the address of `length` (4 or 16) bytes at `bytes[offset…]`. */
  lookup(bytes: Uint8Array, offset: number, length: 4 | 16): T | undefined
  entries(): IterableIterator<[Prefix, T]>
}

interface Node<T> {
  readonly address: IpAddress
  readonly length: number
  value: T | undefined
  zero: Node<T> | undefined
  one: Node<T> | undefined
}

export function createPrefixTable<T>(): PrefixTable<T> {
  let root4: Node<T> | undefined
  let root6: Node<T> | undefined
  let size = 0

  function insertBelow(node: Node<T> | undefined, address: IpAddress, length: number, value: T): Node<T> {
    if (node === undefined) {
      size++
      return { address, length, value, zero: undefined, one: undefined }
    }
    const common = Math.min(commonBits(node.address, 0, address, Math.min(node.length, length)), length, node.length)
    if (common === node.length && common === length) {
      if (node.value === undefined) size++
      node.value = value
      return node
    }
    if (common === node.length) {
      if (bitAt(address, 0, common) === 0) node.zero = insertBelow(node.zero, address, length, value)
      else node.one = insertBelow(node.one, address, length, value)
      return node
    }
    const parent: Node<T> = {
      address: common === length ? address : maskAddress(address, common),
      length: common,
      value: undefined,
      zero: undefined,
      one: undefined,
    }
    if (bitAt(node.address, 0, common) === 0) parent.zero = node
    else parent.one = node
    return insertBelow(parent, address, length, value)
  }

  function removeBelow(node: Node<T> | undefined, address: IpAddress, length: number): Node<T> | undefined {
    if (node === undefined || node.length > length) return node
    if (commonBits(node.address, 0, address, node.length) < node.length) return node
    if (node.length === length) {
      if (node.value !== undefined) size--
      node.value = undefined
    } else if (bitAt(address, 0, node.length) === 0) node.zero = removeBelow(node.zero, address, length)
    else node.one = removeBelow(node.one, address, length)
    if (node.value !== undefined || (node.zero !== undefined && node.one !== undefined)) return node
    return node.zero ?? node.one
  }

  function find(prefix: Prefix): Node<T> | undefined {
    let node = prefix.address.length === 4 ? root4 : root6
    while (node !== undefined && node.length <= prefix.length) {
      if (commonBits(node.address, 0, prefix.address, node.length) < node.length) return undefined
      if (node.length === prefix.length) return node
      node = bitAt(prefix.address, 0, node.length) === 0 ? node.zero : node.one
    }
    return undefined
  }

  return {
    get size() {
      return size
    },
    insert(prefix, value) {
      const address = maskAddress(prefix.address, prefix.length)
      if (address.length === 4) root4 = insertBelow(root4, address, prefix.length, value)
      else root6 = insertBelow(root6, address, prefix.length, value)
    },
    remove(prefix) {
      const before = size
      const address = maskAddress(prefix.address, prefix.length)
      if (address.length === 4) root4 = removeBelow(root4, address, prefix.length)
      else root6 = removeBelow(root6, address, prefix.length)
      return size < before
    },
    get: prefix => find({ address: maskAddress(prefix.address, prefix.length), length: prefix.length })?.value,
    lookup(bytes, offset, length) {
      let node = length === 4 ? root4 : root6
      let best: T | undefined
      const bits = length * 8
      while (node !== undefined) {
        if (!covers(node.address, node.length, bytes, offset)) return best
        if (node.value !== undefined) best = node.value
        if (node.length === bits) return best
        node = bitAt(bytes, offset, node.length) === 0 ? node.zero : node.one
      }
      return best
    },
    *entries() {
      for (const root of [root4, root6]) {
        const stack = root === undefined ? [] : [root]
        for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
          if (node.value !== undefined) yield [{ address: node.address, length: node.length }, node.value]
          if (node.one !== undefined) stack.push(node.one)
          if (node.zero !== undefined) stack.push(node.zero)
        }
      }
    },
  }
}

function bitAt(bytes: Uint8Array, offset: number, bit: number): number {
  return ((bytes[offset + (bit >> 3)] as number) >> (7 - (bit & 7))) & 1
}

/** How many leading bits `address` and `bytes[offset…]` share, at most `limit`. */
function commonBits(address: Uint8Array, offset: number, bytes: Uint8Array, limit: number): number {
  let bits = 0
  for (let i = 0; bits < limit; i++, bits += 8) {
    const difference = (address[i] as number) ^ (bytes[offset + i] as number)
    if (difference !== 0) return Math.min(limit, bits + Math.clz32(difference) - 24)
  }
  return limit
}

function covers(prefix: Uint8Array, length: number, bytes: Uint8Array, offset: number): boolean {
  const whole = length >> 3
  for (let i = 0; i < whole; i++) if (prefix[i] !== bytes[offset + i]) return false
  const rest = length & 7
  return rest === 0 || (((prefix[whole] as number) ^ (bytes[offset + whole] as number)) & (0xff00 >> rest) & 0xff) === 0
}
