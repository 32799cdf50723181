// The compression function of BLAKE2s (RFC 7693, 3.2): sixteen words of state in locals, the message read where it lies.

// RFC 7693, 2.6: the initialization vector, shared with SHA-256.
const IV0 = 0x6a09e667
const IV1 = 0xbb67ae85 | 0
const IV2 = 0x3c6ef372
const IV3 = 0xa54ff53a | 0
const IV4 = 0x510e527f
const IV5 = 0x9b05688c | 0
const IV6 = 0x1f83d9ab
const IV7 = 0x5be0cd19

// RFC 7693, 2.7: the message schedule of the ten rounds.
const SIGMA = Uint8Array.from([
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  ...[14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  ...[11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  ...[7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  ...[9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  ...[2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  ...[12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  ...[13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  ...[6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  ...[10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
])

const words = new Int32Array(16)

/** Sets `h` to the state before the first block: sequential mode, `outLength` and `keyLength` at most 32 (2.5, 3.3). */
export function initialize(h: Int32Array, outLength: number, keyLength: number): void {
  h[0] = IV0 ^ 0x01010000 ^ (keyLength << 8) ^ outLength
  h[1] = IV1
  h[2] = IV2
  h[3] = IV3
  h[4] = IV4
  h[5] = IV5
  h[6] = IV6
  h[7] = IV7
}

/** Takes the 64 bytes at `bytes[offset…]` into `h`; `count` is the number of bytes up to the end of this block. */
export function compress(h: Int32Array, bytes: Uint8Array, offset: number, count: number, last: boolean): void {
  const m = words
  for (let i = 0, o = offset; i < 16; i++, o += 4) {
    m[i] =
      (bytes[o] as number) |
      ((bytes[o + 1] as number) << 8) |
      ((bytes[o + 2] as number) << 16) |
      ((bytes[o + 3] as number) << 24)
  }
  const h0 = h[0] as number
  const h1 = h[1] as number
  const h2 = h[2] as number
  const h3 = h[3] as number
  const h4 = h[4] as number
  const h5 = h[5] as number
  const h6 = h[6] as number
  const h7 = h[7] as number
  let a0 = h0
  let a1 = h1
  let a2 = h2
  let a3 = h3
  let b0 = h4
  let b1 = h5
  let b2 = h6
  let b3 = h7
  let c0 = IV0
  let c1 = IV1
  let c2 = IV2
  let c3 = IV3
  let d0 = IV4 ^ count
  let d1 = IV5 ^ Math.floor(count / 0x1_0000_0000)
  let d2 = last ? ~IV6 : IV6
  let d3 = IV7
  // The rows a, b, c, d of the working vector; G's rotations are by 16, 12, 8 and 7. Columns first, then diagonals.
  for (let s = 0; s < 160; s += 16) {
    a0 = (a0 + b0 + (m[SIGMA[s] as number] as number)) | 0
    a1 = (a1 + b1 + (m[SIGMA[s + 2] as number] as number)) | 0
    a2 = (a2 + b2 + (m[SIGMA[s + 4] as number] as number)) | 0
    a3 = (a3 + b3 + (m[SIGMA[s + 6] as number] as number)) | 0
    d0 ^= a0
    d1 ^= a1
    d2 ^= a2
    d3 ^= a3
    d0 = (d0 >>> 16) | (d0 << 16)
    d1 = (d1 >>> 16) | (d1 << 16)
    d2 = (d2 >>> 16) | (d2 << 16)
    d3 = (d3 >>> 16) | (d3 << 16)
    c0 = (c0 + d0) | 0
    c1 = (c1 + d1) | 0
    c2 = (c2 + d2) | 0
    c3 = (c3 + d3) | 0
    b0 ^= c0
    b1 ^= c1
    b2 ^= c2
    b3 ^= c3
    b0 = (b0 >>> 12) | (b0 << 20)
    b1 = (b1 >>> 12) | (b1 << 20)
    b2 = (b2 >>> 12) | (b2 << 20)
    b3 = (b3 >>> 12) | (b3 << 20)
    a0 = (a0 + b0 + (m[SIGMA[s + 1] as number] as number)) | 0
    a1 = (a1 + b1 + (m[SIGMA[s + 3] as number] as number)) | 0
    a2 = (a2 + b2 + (m[SIGMA[s + 5] as number] as number)) | 0
    a3 = (a3 + b3 + (m[SIGMA[s + 7] as number] as number)) | 0
    d0 ^= a0
    d1 ^= a1
    d2 ^= a2
    d3 ^= a3
    d0 = (d0 >>> 8) | (d0 << 24)
    d1 = (d1 >>> 8) | (d1 << 24)
    d2 = (d2 >>> 8) | (d2 << 24)
    d3 = (d3 >>> 8) | (d3 << 24)
    c0 = (c0 + d0) | 0
    c1 = (c1 + d1) | 0
    c2 = (c2 + d2) | 0
    c3 = (c3 + d3) | 0
    b0 ^= c0
    b1 ^= c1
    b2 ^= c2
    b3 ^= c3
    b0 = (b0 >>> 7) | (b0 << 25)
    b1 = (b1 >>> 7) | (b1 << 25)
    b2 = (b2 >>> 7) | (b2 << 25)
    b3 = (b3 >>> 7) | (b3 << 25)

    a0 = (a0 + b1 + (m[SIGMA[s + 8] as number] as number)) | 0
    a1 = (a1 + b2 + (m[SIGMA[s + 10] as number] as number)) | 0
    a2 = (a2 + b3 + (m[SIGMA[s + 12] as number] as number)) | 0
    a3 = (a3 + b0 + (m[SIGMA[s + 14] as number] as number)) | 0
    d3 ^= a0
    d0 ^= a1
    d1 ^= a2
    d2 ^= a3
    d3 = (d3 >>> 16) | (d3 << 16)
    d0 = (d0 >>> 16) | (d0 << 16)
    d1 = (d1 >>> 16) | (d1 << 16)
    d2 = (d2 >>> 16) | (d2 << 16)
    c2 = (c2 + d3) | 0
    c3 = (c3 + d0) | 0
    c0 = (c0 + d1) | 0
    c1 = (c1 + d2) | 0
    b1 ^= c2
    b2 ^= c3
    b3 ^= c0
    b0 ^= c1
    b1 = (b1 >>> 12) | (b1 << 20)
    b2 = (b2 >>> 12) | (b2 << 20)
    b3 = (b3 >>> 12) | (b3 << 20)
    b0 = (b0 >>> 12) | (b0 << 20)
    a0 = (a0 + b1 + (m[SIGMA[s + 9] as number] as number)) | 0
    a1 = (a1 + b2 + (m[SIGMA[s + 11] as number] as number)) | 0
    a2 = (a2 + b3 + (m[SIGMA[s + 13] as number] as number)) | 0
    a3 = (a3 + b0 + (m[SIGMA[s + 15] as number] as number)) | 0
    d3 ^= a0
    d0 ^= a1
    d1 ^= a2
    d2 ^= a3
    d3 = (d3 >>> 8) | (d3 << 24)
    d0 = (d0 >>> 8) | (d0 << 24)
    d1 = (d1 >>> 8) | (d1 << 24)
    d2 = (d2 >>> 8) | (d2 << 24)
    c2 = (c2 + d3) | 0
    c3 = (c3 + d0) | 0
    c0 = (c0 + d1) | 0
    c1 = (c1 + d2) | 0
    b1 ^= c2
    b2 ^= c3
    b3 ^= c0
    b0 ^= c1
    b1 = (b1 >>> 7) | (b1 << 25)
    b2 = (b2 >>> 7) | (b2 << 25)
    b3 = (b3 >>> 7) | (b3 << 25)
    b0 = (b0 >>> 7) | (b0 << 25)
  }
  h[0] = h0 ^ a0 ^ c0
  h[1] = h1 ^ a1 ^ c1
  h[2] = h2 ^ a2 ^ c2
  h[3] = h3 ^ a3 ^ c3
  h[4] = h4 ^ b0 ^ d0
  h[5] = h5 ^ b1 ^ d1
  h[6] = h6 ^ b2 ^ d2
  h[7] = h7 ^ b3 ^ d3
}

/** Wipes the words of the last block, which lie in this module's own memory. */
export function wipeWords(): void {
  words.fill(0)
}
