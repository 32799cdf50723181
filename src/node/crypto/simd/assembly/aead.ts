// ChaCha20-Poly1305 (RFC 8439) in place, without additional data. Four blocks of ChaCha20 at a time, a lane each, while Poly1305
// takes what is sealed already, or what is to be opened, between the rounds: the one waits for the results of its own vectors,
// so that the other costs next to nothing. No branch and no address depends on a secret.
import { add, rotl7, rotl8, rotl12, rotl16, transpose } from './lanes'
import { scratch } from './scratch'

/** Encrypts `length` bytes at `start` and writes the tag behind them. The key comes as eight little-endian words. */
export function seal(
  start: usize, length: i32, counterHi: i32, counterLo: i32,
  k0: i32, k1: i32, k2: i32, k3: i32, k4: i32, k5: i32, k6: i32, k7: i32,
): void {
  crypt(true, start, length, counterHi, counterLo, k0, k1, k2, k3, k4, k5, k6, k7)
}

/** Decrypts the `length` bytes at `start` that have their tag behind them; false, and nothing is written, if it is wrong. */
export function open(
  start: usize, length: i32, counterHi: i32, counterLo: i32,
  k0: i32, k1: i32, k2: i32, k3: i32, k4: i32, k5: i32, k6: i32, k7: i32,
): bool {
  return crypt(false, start, length, counterHi, counterLo, k0, k1, k2, k3, k4, k5, k6, k7)
}

function crypt(
  sealing: bool, start: usize, length: i32, counterHi: i32, counterLo: i32,
  k0: i32, k1: i32, k2: i32, k3: i32, k4: i32, k5: i32, k6: i32, k7: i32,
): bool {
  const end = start + length
  const padded = scratch // what is left of the last 16 bytes, then the lengths
  const keystream = scratch + 32

  // Poly1305 in 32-bit limbs, 2^128 and up in h4 (RFC 8439, 2.5). As r is clamped, r1 to r3 are multiples of 4, and what
  // passes 2^130 comes back by f = 5 r / 4. Between blocks h0 to h3 are below 2^33 and h4 is below 4: with a message's
  // words that is below 3 * 2^32, a sum of products below 3 * (1 + 3 * 5 / 4) * 2^60 < 2^64, and h again below 2^33.
  let r0: u64 = 0, r1: u64 = 0, r2: u64 = 0, r3: u64 = 0
  let f0: u64 = 0, f1: u64 = 0, f2: u64 = 0, f3: u64 = 0
  let h0: u64 = 0, h1: u64 = 0, h2: u64 = 0, h3: u64 = 0, h4: u64 = 0
  let m = start // the next block that it takes
  let ready = start // up to here it may go

  // The state that the rounds start with (RFC 8439, 2.3): "expand 32-byte k", the key, the block's number (12), and WireGuard's nonce,
  // 32 zero bits and the 64 of the counter.
  const s0 = i32x4.splat(0x61707865), s1 = i32x4.splat(0x3320646e), s2 = i32x4.splat(0x79622d32), s3 = i32x4.splat(0x6b206574)
  const s4 = i32x4.splat(k0), s5 = i32x4.splat(k1), s6 = i32x4.splat(k2), s7 = i32x4.splat(k3)
  const s8 = i32x4.splat(k4), s9 = i32x4.splat(k5), s10 = i32x4.splat(k6), s11 = i32x4.splat(k7)
  const s13 = i32x4.splat(0), s14 = i32x4.splat(counterLo), s15 = i32x4.splat(counterHi)
  let blocks = i32x4(0, 1, 2, 3)

  let made = -64 // bytes of keystream for the message: block 0 is the key of Poly1305
  do {
    let x0 = s0, x1 = s1, x2 = s2, x3 = s3
    let x4 = s4, x5 = s5, x6 = s6, x7 = s7
    let x8 = s8, x9 = s9, x10 = s10, x11 = s11
    let x12 = blocks, x13 = s13, x14 = s14, x15 = s15
    for (let i = 0; i < 10; i++) {
      x0 = add(x0, x4); x12 = rotl16(v128.xor(x12, x0))
      x1 = add(x1, x5); x13 = rotl16(v128.xor(x13, x1))
      x2 = add(x2, x6); x14 = rotl16(v128.xor(x14, x2))
      x3 = add(x3, x7); x15 = rotl16(v128.xor(x15, x3))
      x8 = add(x8, x12); x4 = rotl12(v128.xor(x4, x8))
      x9 = add(x9, x13); x5 = rotl12(v128.xor(x5, x9))
      x10 = add(x10, x14); x6 = rotl12(v128.xor(x6, x10))
      x11 = add(x11, x15); x7 = rotl12(v128.xor(x7, x11))
      x0 = add(x0, x4); x12 = rotl8(v128.xor(x12, x0))
      x1 = add(x1, x5); x13 = rotl8(v128.xor(x13, x1))
      x2 = add(x2, x6); x14 = rotl8(v128.xor(x14, x2))
      x3 = add(x3, x7); x15 = rotl8(v128.xor(x15, x3))
      x8 = add(x8, x12); x4 = rotl7(v128.xor(x4, x8))
      x9 = add(x9, x13); x5 = rotl7(v128.xor(x5, x9))
      x10 = add(x10, x14); x6 = rotl7(v128.xor(x6, x10))
      x11 = add(x11, x15); x7 = rotl7(v128.xor(x7, x11))
      x0 = add(x0, x5); x15 = rotl16(v128.xor(x15, x0))
      x1 = add(x1, x6); x12 = rotl16(v128.xor(x12, x1))
      x2 = add(x2, x7); x13 = rotl16(v128.xor(x13, x2))
      x3 = add(x3, x4); x14 = rotl16(v128.xor(x14, x3))
      x10 = add(x10, x15); x5 = rotl12(v128.xor(x5, x10))
      x11 = add(x11, x12); x6 = rotl12(v128.xor(x6, x11))
      x8 = add(x8, x13); x7 = rotl12(v128.xor(x7, x8))
      x9 = add(x9, x14); x4 = rotl12(v128.xor(x4, x9))
      x0 = add(x0, x5); x15 = rotl8(v128.xor(x15, x0))
      x1 = add(x1, x6); x12 = rotl8(v128.xor(x12, x1))
      x2 = add(x2, x7); x13 = rotl8(v128.xor(x13, x2))
      x3 = add(x3, x4); x14 = rotl8(v128.xor(x14, x3))
      x10 = add(x10, x15); x5 = rotl7(v128.xor(x5, x10))
      x11 = add(x11, x12); x6 = rotl7(v128.xor(x6, x11))
      x8 = add(x8, x13); x7 = rotl7(v128.xor(x7, x8))
      x9 = add(x9, x14); x4 = rotl7(v128.xor(x4, x9))

      for (const stop = min(m + 32, ready); m < stop; m += 16) {
        const m0 = h0 + load<u32>(m)
        const m1 = h1 + load<u32>(m, 4)
        const m2 = h2 + load<u32>(m, 8)
        const m3 = h3 + load<u32>(m, 12)
        const m4 = h4 + 1
        const d0 = m0 * r0 + m1 * f3 + m2 * f2 + m3 * f1 + m4 * f0
        const d1 = m0 * r1 + m1 * r0 + m2 * f3 + m3 * f2 + m4 * f1
        const d2 = m0 * r2 + m1 * r1 + m2 * r0 + m3 * f3 + m4 * f2
        const d3 = m0 * r3 + m1 * r2 + m2 * r1 + m3 * r0 + m4 * f3
        const top = m4 * (r0 & 3) + (d3 >> 32)
        h0 = (d0 & 0xffff_ffff) + (top >> 2) * 5
        h1 = (d1 & 0xffff_ffff) + (d0 >> 32)
        h2 = (d2 & 0xffff_ffff) + (d1 >> 32)
        h3 = (d3 & 0xffff_ffff) + (d2 >> 32)
        h4 = top & 3
      }
    }
    const at = keystream + 64 + made
    transpose(at, add(x0, s0), add(x1, s1), add(x2, s2), add(x3, s3))
    transpose(at + 16, add(x4, s4), add(x5, s5), add(x6, s6), add(x7, s7))
    transpose(at + 32, add(x8, s8), add(x9, s9), add(x10, s10), add(x11, s11))
    transpose(at + 48, add(x12, blocks), x13, add(x14, s14), add(x15, s15))
    blocks = add(blocks, i32x4.splat(4))

    if (made < 0) {
      r0 = load<u32>(keystream) & 0x0fff_ffff
      r1 = load<u32>(keystream, 4) & 0x0fff_fffc
      r2 = load<u32>(keystream, 8) & 0x0fff_fffc
      r3 = load<u32>(keystream, 12) & 0x0fff_fffc
      f0 = (r0 >> 2) * 5
      f1 = (r1 >> 2) * 5
      f2 = (r2 >> 2) * 5
      f3 = (r3 >> 2) * 5
    }
    if (sealing) {
      const from = max(made, 0)
      const to = min(made + 256, length)
      xor(start + from, start + to, keystream + 64 + from) // the last one's excess lands where the tag will be
      ready = start + (to & ~15)
    } else {
      ready = start + (length & ~15)
    }
    made += 256
  } while (made < length)

  // What is left: whole blocks, then those that end the message (RFC 8439, 2.8).
  const rest = length & 15
  const bytes = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  v128.store(padded, v128.and(v128.load(end - rest), i8x16.lt_u(bytes, i8x16.splat(<i8>rest))))
  v128.store(padded, i64x2(0, length), 16)
  for (let stop = end - rest; ; stop = keystream) {
    for (; m < stop; m += 16) {
      const m0 = h0 + load<u32>(m)
      const m1 = h1 + load<u32>(m, 4)
      const m2 = h2 + load<u32>(m, 8)
      const m3 = h3 + load<u32>(m, 12)
      const m4 = h4 + 1
      const d0 = m0 * r0 + m1 * f3 + m2 * f2 + m3 * f1 + m4 * f0
      const d1 = m0 * r1 + m1 * r0 + m2 * f3 + m3 * f2 + m4 * f1
      const d2 = m0 * r2 + m1 * r1 + m2 * r0 + m3 * f3 + m4 * f2
      const d3 = m0 * r3 + m1 * r2 + m2 * r1 + m3 * r0 + m4 * f3
      const top = m4 * (r0 & 3) + (d3 >> 32)
      h0 = (d0 & 0xffff_ffff) + (top >> 2) * 5
      h1 = (d1 & 0xffff_ffff) + (d0 >> 32)
      h2 = (d2 & 0xffff_ffff) + (d1 >> 32)
      h3 = (d3 & 0xffff_ffff) + (d2 >> 32)
      h4 = top & 3
    }
    if (stop == keystream) break
    m = rest == 0 ? padded + 16 : padded
  }

  // h + s, where h is reduced modulo 2^130 - 5 first: that takes away as much as carries out of h + 5.
  h1 += h0 >> 32
  h2 += h1 >> 32
  h3 += h2 >> 32
  h4 += h3 >> 32
  h0 = (h0 & 0xffff_ffff) + (h4 >> 2) * 5
  h1 = (h1 & 0xffff_ffff) + (h0 >> 32)
  h2 = (h2 & 0xffff_ffff) + (h1 >> 32)
  h3 = (h3 & 0xffff_ffff) + (h2 >> 32)
  h4 = (h4 & 3) + (h3 >> 32)
  const carry = (((((h0 & 0xffff_ffff) + 5) >> 32) + (h1 & 0xffff_ffff)) >> 32) + (h2 & 0xffff_ffff)
  h0 = (h0 & 0xffff_ffff) + ((h4 + (((carry >> 32) + (h3 & 0xffff_ffff)) >> 32)) >> 2) * 5 + load<u32>(keystream, 16)
  h1 = (h1 & 0xffff_ffff) + load<u32>(keystream, 20) + (h0 >> 32)
  h2 = (h2 & 0xffff_ffff) + load<u32>(keystream, 24) + (h1 >> 32)
  h3 = (h3 & 0xffff_ffff) + load<u32>(keystream, 28) + (h2 >> 32)
  const tagLo = (h0 & 0xffff_ffff) | (h1 << 32)
  const tagHi = (h2 & 0xffff_ffff) | (h3 << 32)

  let genuine = true
  if (sealing) {
    store<u64>(end, tagLo)
    store<u64>(end, tagHi, 8)
  } else {
    genuine = ((tagLo ^ load<u64>(end)) | (tagHi ^ load<u64>(end, 8))) == 0
    if (genuine) {
      v128.store(keystream + 64 + length, i64x2(0, 0)) // leaves the tag as it is
      xor(start, end, keystream + 64)
    }
  }
  for (let at = scratch, stop = keystream + 64 + made; at < stop; at += 16) v128.store(at, i64x2(0, 0))
  return genuine
}

/** In steps of 16 bytes; the last may go beyond `end`. */
function xor(at: usize, end: usize, keystream: usize): void {
  for (; at < end; at += 16, keystream += 16) v128.store(at, v128.xor(v128.load(at), v128.load(keystream)))
}
