// The Internet checksum's sum (RFC 1071), as of core/wire/checksum.ts: 32 bytes at a time, whatever their alignment.

/** One's complement sum of the `length` bytes at `at` as big-endian 16-bit words, an odd last byte padded with zero; folded. */
export function onesSum(at: usize, length: usize): u32 {
  const end = at + length
  let even = i32x4.splat(0)
  let odd = i32x4.splat(0)
  // A lane takes 2^17 of each pair of words: enough for 2^20 bytes.
  for (const stop = at + (length & ~31); at < stop; at += 32) {
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(v128.load(at)))
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 16)))
  }
  const lanes = i32x4.add(even, odd)
  const halves = i64x2.add(i64x2.extend_low_i32x4_u(lanes), i64x2.extend_high_i32x4_u(lanes))
  let sum: u64 = i64x2.extract_lane(halves, 0) + i64x2.extract_lane(halves, 1)
  for (; at + 4 <= end; at += 4) sum += load<u32>(at)
  if (at + 2 <= end) {
    sum += load<u16>(at)
    at += 2
  }
  if (at < end) sum += load<u8>(at)
  sum = (sum & 0xffff_ffff) + (sum >> 32)
  sum = (sum & 0xffff) + (sum >> 16)
  sum = (sum & 0xffff) + (sum >> 16)
  sum = (sum & 0xffff) + (sum >> 16)
  // Memory is little-endian here, so every word is byte-swapped, and so is the sum (RFC 1071, 2(B)).
  return ((<u32>sum & 0xff) << 8) | (<u32>sum >> 8)
}
