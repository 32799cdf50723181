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

/** What a way in does for each of its clients. */
export interface ClientService {
  readonly dial: Dialer
  /** A client that ends before it was answered has left; else it may just have nothing to say. */
  readonly endMeansGone: boolean
  /** The target stands: the last word to the client before the relay. */
  connected(client: Socket, far: RelaySocket): void
  /** It does not; the client is still there and is ended by whoever is told. */
  failed(client: Socket, failure: DialFailure): void
  over(record: ConnectionRecord): void
}

/** `client` is paused and has a listener for 'error'. */
export async function serveClient(client: Socket, target: Target, service: ClientService): Promise<void> {
  const from = { host: client.remoteAddress ?? '', port: client.remotePort ?? 0 }
  const traffic = { sent: 0, received: 0 }
  const began = performance.now()
  const tell = (result: ConnectionResult, error?: unknown) => {
    const duration = performance.now() - began
    service.over({ client: from, target, result, ...traffic, duration, ...(error !== undefined && { error }) })
  }
  let far: RelaySocket | undefined
  try {
    far = await dialFor(client, target, service)
  } catch (error) {
    const failure = dialFailure(error)
    service.failed(client, failure)
    tell(failure, error)
    return
  }
  if (far === undefined) {
    client.destroy()
    tell('gone')
    return
  }
  service.connected(client, far)
  relay(client, far, traffic, error => tell(error === undefined ? 'done' : 'cut', error))
}

/** Undefined if the client left meanwhile. */
async function dialFor(client: Socket, target: Target, service: ClientService): Promise<RelaySocket | undefined> {
  const { dial, endMeansGone } = service
  const gone = new AbortController()
  const leave = () => gone.abort(new Error('the client left'))
  if (client.destroyed) leave()
  client.once('close', leave)
  if (endMeansGone) client.once('end', leave)
  try {
    gone.signal.throwIfAborted()
    const far = await dial(target, gone.signal)
    if (!gone.signal.aborted) return far
    far.destroy()
    return undefined
  } catch (error) {
    if (gone.signal.aborted) return undefined
    throw error
  } finally {
    client.off('close', leave)
    client.off('end', leave)
  }
}
