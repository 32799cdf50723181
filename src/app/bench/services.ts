// What the far side of a macro benchmark offers, and the bytes that are sent: a pattern, so that what arrives can be checked.
import { createHash, type Hash } from 'node:crypto'
import type { Duplex } from 'node:stream'

/** TCP ports in the tunnel. */
export const servicePorts = { sink: 1, source: 2, web: 3, hold: 4 } as const

export type Service = keyof typeof servicePorts

/** The far side's address in the tunnel, and the near side's. */
export const addresses = { far: '10.9.0.1', near: '10.9.0.2' }

/** Sent again and again. */
export const chunk = Buffer.alloc(64 * 1024)
for (let i = 0, state = 1; i < chunk.length; i++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  chunk[i] = state >>> 24
}

/** What the web service answers. */
export const page = 'hello from the far side'

/** SHA-256 of the first `count` bytes of the pattern, hexadecimal. */
export function patternHash(count: number): string {
  const hash = createHash('sha256')
  for (let left = count; left > 0; left -= chunk.length) hash.update(chunk.subarray(0, Math.min(left, chunk.length)))
  return hash.digest('hex')
}

/** Counts bytes, and hashes the next ones where that is asked for. */
export class Sink {
  bytes = 0
  #hash: Hash | undefined
  #left = 0
  #done: (digest: string) => void = () => {}

  add(bytes: Uint8Array): void {
    this.bytes += bytes.length
    if (this.#hash === undefined) return
    const part = bytes.subarray(0, this.#left)
    this.#hash.update(part)
    this.#left -= part.length
    if (this.#left > 0) return
    this.#done(this.#hash.digest('hex'))
    this.#hash = undefined
  }

  /** SHA-256 of the next `count` bytes, once they are there. */
  hashNext(count: number): Promise<string> {
    this.#hash = createHash('sha256')
    this.#left = count
    return new Promise(resolve => {
      this.#done = resolve
    })
  }
}

/** Writes the pattern without end. */
export function pour(stream: Duplex): void {
  const write = () => {
    while (!stream.destroyed && stream.write(chunk));
  }
  stream.on('drain', write)
  write()
}
