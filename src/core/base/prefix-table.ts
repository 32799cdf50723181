// Longest-prefix match over IPv4 and IPv6 prefixes, kept apart. Used for AllowedIPs, routes and policies.
import type { Prefix } from './address.js'
import { PrefixTrie } from './prefix-trie.js'

export interface PrefixTable<T> {
  /** Prefixes held, of both families. */
  readonly size: number
  /** Adds a prefix or replaces its value, which it then returns. */
  insert(prefix: Prefix, value: T): T | undefined
  /** Removes exactly this prefix; false if it was not there. */
  remove(prefix: Prefix): boolean
  /** The value of exactly this prefix. */
  get(prefix: Prefix): T | undefined
  /** The value of the longest prefix that covers the address of `length` (4 or 16) bytes at `bytes[offset…]`. */
  lookup(bytes: Uint8Array, offset: number, length: 4 | 16): T | undefined
  entries(): IterableIterator<[Prefix, T]>
}

export function createPrefixTable<T>(): PrefixTable<T> {
  return new TwoTries<T>()
}

/** A class, because V8 keeps the properties of an object literal with a getter in a hash table. */
class TwoTries<T> implements PrefixTable<T> {
  readonly #v4 = new PrefixTrie<T>(1)
  readonly #v6 = new PrefixTrie<T>(4)

  get size(): number {
    return this.#v4.size + this.#v6.size
  }

  insert(prefix: Prefix, value: T): T | undefined {
    return this.#of(prefix).insert(prefix, value)
  }

  remove(prefix: Prefix): boolean {
    return this.#of(prefix).remove(prefix)
  }

  get(prefix: Prefix): T | undefined {
    return this.#of(prefix).get(prefix)
  }

  lookup(bytes: Uint8Array, offset: number, length: 4 | 16): T | undefined {
    return length === 4 ? this.#v4.lookup4(bytes, offset) : this.#v6.lookup6(bytes, offset)
  }

  *entries(): IterableIterator<[Prefix, T]> {
    yield* this.#v4.entries()
    yield* this.#v6.entries()
  }

  #of(prefix: Prefix): PrefixTrie<T> {
    return prefix.address.length === 4 ? this.#v4 : this.#v6
  }
}
