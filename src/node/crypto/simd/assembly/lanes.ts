// What ChaCha20 does to vectors of four 32-bit lanes, each of which belongs to another block (RFC 8439, 2.1 and 2.3).

// @ts-ignore: decorator
@inline
export function add(a: v128, b: v128): v128 {
  return i32x4.add(a, b)
}

// By swizzle rather than shuffle: V8 keeps the indices of the former in a register.
// @ts-ignore: decorator
@inline
export function rotl16(x: v128): v128 {
  return v128.swizzle(x, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13))
}

// @ts-ignore: decorator
@inline
export function rotl8(x: v128): v128 {
  return v128.swizzle(x, i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14))
}

// @ts-ignore: decorator
@inline
export function rotl12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20))
}

// @ts-ignore: decorator
@inline
export function rotl7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25))
}

/** Into place what four lanes hold of four blocks: words 4n to 4n + 3 of each. */
// @ts-ignore: decorator
@inline
export function transpose(at: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab01 = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  const cd01 = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
  const ab23 = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
  const cd23 = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
  v128.store(at, v128.shuffle<i64>(ab01, cd01, 0, 2))
  v128.store(at, v128.shuffle<i64>(ab01, cd01, 1, 3), 64)
  v128.store(at, v128.shuffle<i64>(ab23, cd23, 0, 2), 128)
  v128.store(at, v128.shuffle<i64>(ab23, cd23, 1, 3), 192)
}
