// Joins two streams: bytes both ways under each other's back-pressure, an end for an end, and a break for a break.
import type { Duplex } from 'node:stream'
import { end, type Resettable, reset } from '../half-close.js'

export interface RelayOptions {
  /** `far` broke off: to close `near` so that its reader knows. */
  breakNear(): void
  /** `near` ended: to call `end` once that is known to be meant. */
  endFar(end: () => void): void
}

/** Resolves when both are closed. Where `near` broke off, `far` is reset if it can be. */
export function relay(near: Duplex, far: Duplex, { breakNear, endFar }: RelayOptions): Promise<void> {
  const closings = [closing(near, () => breakOff(far)), closing(far, breakNear)]
  near.pipe(far, { end: false })
  near.once('end', () => endFar(() => end(far)))
  far.pipe(near)
  return Promise.all(closings).then(() => {})
}

/** Whether both directions of a closed stream had ended before. */
export function isComplete(stream: Duplex): boolean {
  return stream.readableEnded && stream.writableFinished
}

export function breakOff(stream: Resettable): void {
  if (stream.destroyed) return
  stream.on('error', () => {})
  reset(stream)
}

function closing(stream: Duplex, breakOther: () => void): Promise<void> {
  return new Promise(resolve => {
    const closed = () => {
      if (!isComplete(stream)) breakOther()
      resolve()
    }
    stream.on('error', () => {})
    if (stream.closed) closed()
    else stream.once('close', closed)
  })
}
