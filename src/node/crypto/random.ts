// The source of randomness that a tunnel hands to its core.
import { randomFillSync } from 'node:crypto'

/** Fills `bytes` from the system's secure generator. */
export function random(bytes: Uint8Array): void {
  randomFillSync(bytes)
}
