// Sequence numbers (RFC 9293, 3.4): modulo 2^32, kept as signed 32-bit integers. Numbers compared are less than 2^31 apart.

/** a − b, signed. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0
}

export function seqAdd(a: number, count: number): number {
  return (a + count) | 0
}

export function seqBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}

export function seqAtOrBefore(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0
}

/** Whether low ≤ a < low + count. */
export function seqWithin(a: number, low: number, count: number): boolean {
  const distance = (a - low) | 0
  return distance >= 0 && distance < count
}
