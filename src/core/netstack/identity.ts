// What must not be guessed from outside: initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323, 5.4), by a
// keyed hash of the connection's ends.
import type { AddressWords } from '../wire/ip.js'

/** The sequence numbers' clock ticks each 4 µs (RFC 9293, 3.4.1). */
const ticksPerMs = 250

const sequenceKind = 1
const timestampKind = 2

export class Identity {
  readonly #hash: (bytes: Uint8Array) => number
  readonly #bytes = new Uint8Array(37)
  readonly #view = new DataView(this.#bytes.buffer)

  constructor(keyedHash: (bytes: Uint8Array) => number) {
    this.#hash = keyedHash
  }

  initialSequence(
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    now: number,
  ): number {
    this.#write(sequenceKind, local, remote)
    this.#view.setInt32(33, (localPort << 16) | remotePort)
    return (this.#hash(this.#bytes) + Math.floor(now * ticksPerMs)) | 0
  }

  /** By address pair alone: a peer that holds the last connection in TIME-WAIT sees the clock go on in the next one. */
  timestampOffset(local: AddressWords, remote: AddressWords): number {
    this.#write(timestampKind, local, remote)
    this.#view.setInt32(33, 0)
    return this.#hash(this.#bytes) | 0
  }

  #write(kind: number, local: AddressWords, remote: AddressWords): void {
    const view = this.#view
    view.setUint8(0, kind)
    view.setInt32(1, local.w0)
    view.setInt32(5, local.w1)
    view.setInt32(9, local.w2)
    view.setInt32(13, local.w3)
    view.setInt32(17, remote.w0)
    view.setInt32(21, remote.w1)
    view.setInt32(25, remote.w2)
    view.setInt32(29, remote.w3)
  }
}
