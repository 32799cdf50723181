// Cryptokey routing (WireGuard paper, section 2): which peer an inner address belongs to. One prefix belongs to one peer;
// adding it to another moves it.
import { maskAddress, type Prefix } from '../base/address.js'
import { createPrefixTable } from '../base/prefix-table.js'

interface AllowedIp<T> {
  readonly peer: T
  readonly prefix: Prefix
}

export class AllowedIps<T extends object> {
  readonly #table = createPrefixTable<AllowedIp<T>>()
  readonly #byPeer = new Map<T, Set<AllowedIp<T>>>()

  get size(): number {
    return this.#table.size
  }

  /** Gives `prefix` to `peer`, host bits masked. */
  add(prefix: Prefix, peer: T): void {
    const masked = { address: maskAddress(prefix.address, prefix.length), length: prefix.length }
    const entry = { peer, prefix: masked }
    const before = this.#table.insert(masked, entry)
    if (before?.peer === peer) {
      this.#table.insert(masked, before)
      return
    }
    if (before !== undefined) this.#byPeer.get(before.peer)?.delete(before)
    let own = this.#byPeer.get(peer)
    if (own === undefined) {
      own = new Set()
      this.#byPeer.set(peer, own)
    }
    own.add(entry)
  }

  /** Takes exactly this prefix from `peer`; false if it has it not. */
  remove(prefix: Prefix, peer: T): boolean {
    const entry = this.#table.get(prefix)
    if (entry === undefined || entry.peer !== peer) return false
    this.#byPeer.get(peer)?.delete(entry)
    return this.#table.remove(entry.prefix)
  }

  removePeer(peer: T): void {
    for (const entry of this.#byPeer.get(peer) ?? []) this.#table.remove(entry.prefix)
    this.#byPeer.delete(peer)
  }

  /** The peer of the longest prefix that covers the address of `length` bytes at `bytes[offset…]`. */
  lookup(bytes: Uint8Array, offset: number, length: 4 | 16): T | undefined {
    return this.#table.lookup(bytes, offset, length)?.peer
  }

  /** The prefixes of one peer, in the order in which it got them. */
  of(peer: T): Prefix[] {
    return Array.from(this.#byPeer.get(peer) ?? [], entry => entry.prefix)
  }
}
