// Small things that every backend and every user of secrets needs.

/** Compares without telling, by its time, where two arrays differ. Their lengths are no secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && equalAt(a, 0, b, 0, a.length)
}

/** {@link equalBytes} for `length` bytes within larger arrays. */
export function equalAt(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number, length: number): boolean {
  let difference = 0
  for (let i = 0; i < length; i++) difference |= (a[aOffset + i] as number) ^ (b[bOffset + i] as number)
  return difference === 0
}

/** Whether all bytes are zero, in constant time. */
export function isZero(bytes: Uint8Array): boolean {
  let bits = 0
  for (const byte of bytes) bits |= byte
  return bits === 0
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

export function expectLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) throw new RangeError(`${what} of ${bytes.length} bytes, where ${length} are due`)
}

/** The 12-byte nonce of a 64-bit counter: 4 zero bytes, then the counter, little-endian (WireGuard paper, 5.4.6). */
export function writeNonce(nonce: Uint8Array, counterHi: number, counterLo: number): void {
  nonce[4] = counterLo
  nonce[5] = counterLo >>> 8
  nonce[6] = counterLo >>> 16
  nonce[7] = counterLo >>> 24
  nonce[8] = counterHi
  nonce[9] = counterHi >>> 8
  nonce[10] = counterHi >>> 16
  nonce[11] = counterHi >>> 24
}
