// The one relay between two connected sockets, for every way in: FIN for FIN in each direction, RST for RST, and the
// slower side's pace. It holds no bytes besides the streams' own buffers, and thousands may idle: listeners are shared.
import { end, reset } from '../node/half-close.js'
import type { RelaySocket } from './dialer.js'

/** What a relay carried; written to while it runs. */
export interface RelayTraffic {
  /** Bytes from near to far. */
  sent: number
  /** Bytes from far to near. */
  received: number
}

interface Relay {
  readonly near: RelaySocket
  readonly far: RelaySocket
  readonly traffic: RelayTraffic
  readonly done: (error?: Error) => void
  open: number
  failure: Error | undefined
}

const relayOf = Symbol('relay')

/** A socket in a relay. */
interface Side extends RelaySocket {
  [relayOf]?: Relay
}

/**
 * Joins `near`, the client, with `far`, what was dialled for it. Both must allow half-open and neither have a reader.
 * `done` is called once, when both are closed; with the error that ended them, if one did.
 */
export function relay(near: RelaySocket, far: RelaySocket, traffic: RelayTraffic, done: (error?: Error) => void): void {
  const joined: Relay = { near, far, traffic, done, open: 2, failure: undefined }
  join(near, joined)
  join(far, joined)
  near.on('data', sendOn)
  far.on('data', sendOn)
  near.on('drain', drained)
  far.on('drain', drained)
  near.resume()
  far.resume()
}

function join(side: Side, joined: Relay): void {
  side[relayOf] = joined
  side.on('error', failed)
  if (side.closed) closed.call(side)
  else side.on('close', closed)
  if (side.readableEnded) ended.call(side)
  else side.on('end', ended)
}

function otherOf(side: Side): RelaySocket {
  const { near, far } = side[relayOf] as Relay
  return side === near ? far : near
}

function sendOn(this: Side, chunk: Uint8Array): void {
  const { near, traffic } = this[relayOf] as Relay
  if (this === near) traffic.sent += chunk.length
  else traffic.received += chunk.length
  if (!otherOf(this).write(chunk)) this.pause()
}

function drained(this: Side): void {
  otherOf(this).resume()
}

function failed(this: Side, error: Error): void {
  const joined = this[relayOf] as Relay
  joined.failure ??= error
  reset(otherOf(this))
}

function ended(this: Side): void {
  end(otherOf(this))
}

function closed(this: Side): void {
  const joined = this[relayOf] as Relay
  // Closed before both its directions had ended: what the other side got so far must not pass for the whole.
  const whole = this.readableEnded && this.writableFinished
  if (!whole) failed.call(this, this.errored ?? new Error('the connection was cut'))
  if (--joined.open === 0) joined.done(joined.failure)
}
