// TAI64N timestamps (https://cr.yp.to/libtai/tai64.html) as WireGuard sends them: 8 bytes of seconds, 4 of nanoseconds,
// big-endian, so that later ones compare greater byte by byte. Leap seconds are left out, as in the kernel.

/** Bytes of a timestamp. */
const timestampLength = 12

/** Nanoseconds are floored to this, so that a timestamp tells little about the clock (kernel, noise.c). */
const granularity = 2 ** 24

/** Seconds of TAI64 at the Unix epoch: 2^62 + 10. */
const epochHi = 0x4000_0000
const epochLo = 10

/** A source of timestamps that never go back, whatever the wall clock does. */
export class TimestampClock {
  #seconds = 0
  #nanoseconds = 0

  /**
   * A timestamp for wall-clock time `wall` (milliseconds since 1970) that is greater than `previous`, the last one sent to
   * the same peer, and not below any that was ever given.
   */
  next(wall: number, previous: Uint8Array | undefined): Uint8Array {
    const milliseconds = Math.max(0, wall)
    const seconds = Math.floor(milliseconds / 1000)
    const nanoseconds = Math.floor(((milliseconds - seconds * 1000) * 1e6) / granularity) * granularity
    if (seconds > this.#seconds || (seconds === this.#seconds && nanoseconds > this.#nanoseconds)) {
      this.#seconds = seconds
      this.#nanoseconds = nanoseconds
    }
    if (previous !== undefined) this.pass(previous)
    return encode(this.#seconds, this.#nanoseconds)
  }

  /** Every timestamp from now on is greater than `timestamp`. */
  pass(timestamp: Uint8Array): void {
    while (compareTimestamps(encode(this.#seconds, this.#nanoseconds), timestamp) <= 0) {
      this.#nanoseconds += granularity
      if (this.#nanoseconds < 1e9) continue
      this.#nanoseconds = 0
      this.#seconds++
    }
  }
}

function encode(seconds: number, nanoseconds: number): Uint8Array {
  const timestamp = new Uint8Array(timestampLength)
  const view = new DataView(timestamp.buffer)
  view.setUint32(0, epochHi + Math.floor((seconds + epochLo) / 0x1_0000_0000))
  view.setUint32(4, (seconds + epochLo) >>> 0)
  view.setUint32(8, nanoseconds)
  return timestamp
}

/** Below, at or above zero as `a` is earlier than, the same as or later than `b`. */
export function compareTimestamps(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < timestampLength; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return 0
}
