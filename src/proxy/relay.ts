// The one relay between two connected sockets, for every way in: FIN for FIN in each direction, RST for RST, and the
// slower side's pace. It holds no bytes besides the streams' own buffers.
import type { RelaySocket } from './dialer.js'

/** What a relay carried; written to while it runs. */
export interface RelayTraffic {
  /** Bytes from near to far. */
  sent: number
  /** Bytes from far to near. */
  received: number
}

/**
 * Joins `near`, the client, with `far`, what was dialled for it. Both must allow half-open and neither have a reader.
 * `done` is called once, when both are closed; with the error that ended them, if one did.
 */
export function relay(near: RelaySocket, far: RelaySocket, traffic: RelayTraffic, done: (error?: Error) => void): void {
  let open = 2
  let failure: Error | undefined

  const closed = () => {
    if (--open === 0) done(failure)
  }
  const fail = (other: RelaySocket, error: Error) => {
    failure ??= error
    reset(other)
  }

  watch(near, far, closed, fail)
  watch(far, near, closed, fail)
  near.on('data', (chunk: Uint8Array) => {
    traffic.sent += chunk.length
    if (!far.write(chunk)) near.pause()
  })
  far.on('data', (chunk: Uint8Array) => {
    traffic.received += chunk.length
    if (!near.write(chunk)) far.pause()
  })
  near.on('drain', () => far.resume())
  far.on('drain', () => near.resume())
  near.resume()
  far.resume()
}

function watch(
  socket: RelaySocket,
  other: RelaySocket,
  closed: () => void,
  fail: (other: RelaySocket, error: Error) => void,
): void {
  const ended = () => end(other)
  const gone = () => {
    // Closed before both its directions had ended: what the other side got so far must not pass for the whole.
    const whole = socket.readableEnded && socket.writableFinished
    if (!whole) fail(other, socket.errored ?? new Error('the connection was cut'))
    closed()
  }
  socket.on('error', error => fail(other, error))
  if (socket.closed) gone()
  else socket.on('close', gone)
  if (socket.readableEnded) ended()
  else socket.on('end', ended)
}

/** FIN, once everything before it has left: an end that waits behind data would keep net from sending a RST meanwhile. */
function end(socket: RelaySocket): void {
  if (socket.writableLength === 0) socket.end()
  else socket.write('', error => error ?? socket.end())
}

function reset(socket: RelaySocket): void {
  if (!socket.destroyed) socket.resetAndDestroy()
}
