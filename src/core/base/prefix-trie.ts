// A path-compressed binary trie of the prefixes of one address family. Nodes lie in one Int32Array, and addresses are 32-bit
// words: an object and an array a node made both loading and look-up several times as slow, nearly all of it cache misses.
import type { IpAddress, Prefix } from './address.js'

/** Node 0 is none; its first child is the root. */
const noNode = 0
/** In a node's length word: it holds a value, and does not merely branch. */
const valued = 256
const lengthMask = 255
const initialNodes = 16

/** A node is its address in words, its length, and two children: 4 words of IPv4, 7 of IPv6 rounded up to 8. */
export class PrefixTrie<T> {
  size = 0
  readonly #words: number
  /** Nodes to words: a node's number is shifted by this. */
  readonly #shift: number
  /** Where a node keeps its length and, behind it, its children. */
  readonly #lengthAt: number
  readonly #childAt: number
  readonly #key: Int32Array
  #nodes: Int32Array
  #values: (T | undefined)[] = [undefined]
  #count = 1
  /** Nodes that were removed, linked by their first child. */
  #freed = noNode

  constructor(words: 1 | 4) {
    this.#words = words
    this.#shift = words === 1 ? 2 : 3
    this.#lengthAt = words
    this.#childAt = words + 1
    this.#key = new Int32Array(words)
    this.#nodes = new Int32Array(initialNodes << this.#shift)
  }

  insert(prefix: Prefix, value: T): T | undefined {
    const { length } = prefix
    this.#setKey(prefix)
    let link = this.#childAt
    for (;;) {
      const node = this.#nodes[link] as number
      if (node === noNode) {
        const leaf = this.#create(length)
        this.#nodes[link] = leaf
        return this.#setValue(leaf, value)
      }
      const nodeLength = this.#lengthOf(node)
      const common = this.#commonBits(node, Math.min(nodeLength, length))
      if (common === nodeLength) {
        if (common === length) return this.#setValue(node, value)
        link = this.#childLink(node, this.#keyBit(common))
        continue
      }
      const branch = this.#create(common)
      this.#nodes[link] = branch
      this.#nodes[this.#childLink(branch, this.#nodeBit(node, common))] = node
      if (common === length) return this.#setValue(branch, value)
      const leaf = this.#create(length)
      this.#nodes[this.#childLink(branch, this.#keyBit(common))] = leaf
      return this.#setValue(leaf, value)
    }
  }

  remove(prefix: Prefix): boolean {
    this.#setKey(prefix)
    let above = noNode
    let aboveLink = 0
    let link = this.#childAt
    for (;;) {
      const node = this.#nodes[link] as number
      if (node === noNode) return false
      const nodeLength = this.#lengthOf(node)
      if (nodeLength > prefix.length || this.#commonBits(node, nodeLength) < nodeLength) return false
      if (nodeLength < prefix.length) {
        above = node
        aboveLink = link
        link = this.#childLink(node, this.#keyBit(nodeLength))
        continue
      }
      if (!this.#isValued(node)) return false
      this.#values[node] = undefined
      this.#nodes[this.#at(node) + this.#lengthAt] = nodeLength
      this.size--
      this.#contract(link)
      if (above !== noNode) this.#contract(aboveLink)
      return true
    }
  }

  get(prefix: Prefix): T | undefined {
    this.#setKey(prefix)
    let node = this.#nodes[this.#childAt] as number
    while (node !== noNode) {
      const nodeLength = this.#lengthOf(node)
      if (nodeLength > prefix.length || this.#commonBits(node, nodeLength) < nodeLength) return undefined
      if (nodeLength === prefix.length) return this.#values[node]
      node = this.#nodes[this.#childLink(node, this.#keyBit(nodeLength))] as number
    }
    return undefined
  }

  /** Written out for one word, as {@link lookup6} is for four: this runs once a packet. */
  lookup4(bytes: Uint8Array, offset: number): T | undefined {
    const nodes = this.#nodes
    const address = word(bytes, offset)
    let best = noNode
    let node = nodes[2] as number
    while (node !== noNode) {
      const at = node << 2
      const header = nodes[at + 1] as number
      const length = header & lengthMask
      if (length !== 0 && ((nodes[at] as number) ^ address) >>> (32 - length) !== 0) break
      if (header >= valued) best = node
      if (length === 32) break
      node = nodes[at + 2 + ((address >>> (31 - length)) & 1)] as number
    }
    return this.#values[best]
  }

  lookup6(bytes: Uint8Array, offset: number): T | undefined {
    const nodes = this.#nodes
    const a = word(bytes, offset)
    const b = word(bytes, offset + 4)
    const c = word(bytes, offset + 8)
    const d = word(bytes, offset + 12)
    let best = noNode
    let node = nodes[5] as number
    while (node !== noNode) {
      const at = node << 3
      const header = nodes[at + 4] as number
      const length = header & lengthMask
      // The words that the prefix covers whole, then the bits of the one that it ends in.
      const whole = length >> 5
      if (whole > 0 && nodes[at] !== a) break
      if (whole > 1 && nodes[at + 1] !== b) break
      if (whole > 2 && nodes[at + 2] !== c) break
      if (whole > 3) return this.#values[nodes[at + 3] === d && header >= valued ? node : best]
      const last = whole === 0 ? a : whole === 1 ? b : whole === 2 ? c : d
      const rest = length & 31
      if (rest !== 0 && ((nodes[at + whole] as number) ^ last) >>> (32 - rest) !== 0) break
      if (header >= valued) best = node
      node = nodes[at + 5 + ((last >>> (31 - rest)) & 1)] as number
    }
    return this.#values[best]
  }

  *entries(): IterableIterator<[Prefix, T]> {
    const stack = [this.#nodes[this.#childAt] as number]
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node === noNode) continue
      if (this.#isValued(node)) {
        yield [{ address: this.#addressOf(node), length: this.#lengthOf(node) }, this.#values[node] as T]
      }
      const children = this.#at(node) + this.#childAt
      stack.push(this.#nodes[children + 1] as number, this.#nodes[children] as number)
    }
  }

  #at(node: number): number {
    return node << this.#shift
  }

  #lengthOf(node: number): number {
    return (this.#nodes[this.#at(node) + this.#lengthAt] as number) & lengthMask
  }

  #isValued(node: number): boolean {
    return (this.#nodes[this.#at(node) + this.#lengthAt] as number) >= valued
  }

  /** Where `node` keeps the number of one of its children. */
  #childLink(node: number, bit: number): number {
    return this.#at(node) + this.#childAt + bit
  }

  #addressOf(node: number): IpAddress {
    const address = new Uint8Array(this.#words * 4)
    const view = new DataView(address.buffer)
    for (let i = 0; i < this.#words; i++) view.setInt32(i * 4, this.#nodes[this.#at(node) + i] as number)
    return address
  }

  /** The prefix's address as words, host bits zero: what the methods below compare with. */
  #setKey({ address, length }: Prefix): void {
    for (let i = 0; i < this.#words; i++) this.#key[i] = word(address, i * 4) & mask(length - i * 32)
  }

  #keyBit(bit: number): number {
    return ((this.#key[bit >> 5] as number) >>> (31 - (bit & 31))) & 1
  }

  #nodeBit(node: number, bit: number): number {
    return ((this.#nodes[this.#at(node) + (bit >> 5)] as number) >>> (31 - (bit & 31))) & 1
  }

  /** How many leading bits node and key share, at most `limit`. */
  #commonBits(node: number, limit: number): number {
    const at = this.#at(node)
    for (let i = 0; i * 32 < limit; i++) {
      const difference = (this.#nodes[at + i] as number) ^ (this.#key[i] as number)
      if (difference !== 0) return Math.min(limit, i * 32 + Math.clz32(difference))
    }
    return limit
  }

  /** A node for the first `length` bits of the key, without value or children. */
  #create(length: number): number {
    let node = this.#freed
    if (node !== noNode) this.#freed = this.#nodes[this.#childLink(node, 0)] as number
    else {
      node = this.#count++
      if (this.#count << this.#shift > this.#nodes.length) {
        const grown = new Int32Array(this.#nodes.length * 2)
        grown.set(this.#nodes)
        this.#nodes = grown
      }
      this.#values.push(undefined)
    }
    const at = this.#at(node)
    for (let i = 0; i < this.#words; i++) this.#nodes[at + i] = (this.#key[i] as number) & mask(length - i * 32)
    this.#nodes[at + this.#lengthAt] = length
    this.#nodes[at + this.#childAt] = noNode
    this.#nodes[at + this.#childAt + 1] = noNode
    return node
  }

  #setValue(node: number, value: T): T | undefined {
    if (!this.#isValued(node)) this.size++
    const header = this.#at(node) + this.#lengthAt
    this.#nodes[header] = (this.#nodes[header] as number) | valued
    const before = this.#values[node]
    this.#values[node] = value
    return before
  }

  /** Takes out the node at `link` if it neither holds a value nor branches. */
  #contract(link: number): void {
    const node = this.#nodes[link] as number
    if (node === noNode || this.#isValued(node)) return
    const zero = this.#nodes[this.#childLink(node, 0)] as number
    const one = this.#nodes[this.#childLink(node, 1)] as number
    if (zero !== noNode && one !== noNode) return
    this.#nodes[link] = zero === noNode ? one : zero
    this.#nodes[this.#childLink(node, 0)] = this.#freed
    this.#freed = node
  }
}

function word(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) << 24) |
    ((bytes[offset + 1] as number) << 16) |
    ((bytes[offset + 2] as number) << 8) |
    (bytes[offset + 3] as number)
  )
}

/** The first `bits` bits of a word; all from 32 on, none up to 0. */
function mask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits)
}
