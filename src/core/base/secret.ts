// A secret key as bytes that do not show themselves: printing, JSON and util.inspect see a placeholder. Whoever works with the
// bytes still can; this guards against the log line, not against the reader of memory.

const placeholder = '(hidden key)'

/** A Uint8Array that never prints its content. Zero it with `fill(0)` when it has served. */
export class SecretKey extends Uint8Array<ArrayBuffer> {
  /** A copy of `bytes`. */
  static copy(bytes: ArrayLike<number>): SecretKey {
    const key = new SecretKey(new ArrayBuffer(bytes.length))
    key.set(bytes)
    return key
  }

  override toString(): string {
    return placeholder
  }

  override toLocaleString(): string {
    return placeholder
  }

  override join(): string {
    return placeholder
  }

  toJSON(): string {
    return placeholder
  }

  /** What `console.log` and `util.inspect` show in Node. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return placeholder
  }
}
