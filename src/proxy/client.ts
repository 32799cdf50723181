// One client of a way in: dialled for, then relayed, then told about. It may leave at any time; the dial then ends with it.
import type { Socket } from 'node:net'
import { type Dialer, type DialFailure, dialFailure, type RelaySocket, type Target } from './dialer.js'
import type { LocalAddress } from './listener.js'
import { relay } from './relay.js'

/** What became of a client: 'done' when both sides ended, 'cut' when one was reset, 'gone' when it left during the dial. */
export type ConnectionResult = 'done' | 'cut' | 'gone' | DialFailure

/** One connection, told when it is over. */
export interface ConnectionRecord {
  readonly client: LocalAddress
  readonly target: Target
  readonly result: ConnectionResult
  /** What ended it, unless both sides just did. */
  readonly error?: unknown
  /** Bytes from the client, and to it. */
  readonly sent: number
  readonly received: number
  /** ms, the dial included. */
  readonly duration: number
}

export interface ClientOptions {
  readonly client: Socket
  readonly target: Target
  readonly dial: Dialer
  /** A client that ends before it was answered has left; else it may just have nothing to say. */
  readonly endMeansGone: boolean
  /** The target stands: the last word to the client before the relay. */
  connected(far: RelaySocket): void
  /** It does not; the client is still there and is ended by whoever is told. */
  failed(failure: DialFailure): void
  over(record: ConnectionRecord): void
}

/** `client` is paused and has a listener for 'error'. */
export async function serveClient(options: ClientOptions): Promise<void> {
  const { client, target, connected, failed, over } = options
  const from = { host: client.remoteAddress ?? '', port: client.remotePort ?? 0 }
  const traffic = { sent: 0, received: 0 }
  const began = performance.now()
  const tell = (result: ConnectionResult, error?: unknown) => {
    const duration = performance.now() - began
    over({ client: from, target, result, ...traffic, duration, ...(error !== undefined && { error }) })
  }
  const gone = new AbortController()
  let far: RelaySocket
  try {
    far = await dialFor(options, gone)
  } catch (error) {
    if (gone.signal.aborted) {
      client.destroy()
      tell('gone')
      return
    }
    const failure = dialFailure(error)
    failed(failure)
    tell(failure, error)
    return
  }
  connected(far)
  relay(client, far, traffic, error => tell(error === undefined ? 'done' : 'cut', error))
}

async function dialFor(options: ClientOptions, gone: AbortController): Promise<RelaySocket> {
  const { client, target, dial, endMeansGone } = options
  const leave = () => gone.abort(new Error('the client left'))
  if (client.destroyed) leave()
  client.once('close', leave)
  if (endMeansGone) client.once('end', leave)
  try {
    gone.signal.throwIfAborted()
    const far = await dial(target, gone.signal)
    if (gone.signal.aborted) far.destroy()
    gone.signal.throwIfAborted()
    return far
  } finally {
    client.off('close', leave)
    client.off('end', leave)
  }
}
