// One client of a way in: dialled for, then relayed, then told about. It may leave at any time; the dial then ends with it.
import { Departure } from './departure.js'
import { type Dialer, type DialFailure, dialFailure, type RelaySocket, type Target } from './dialer.js'
import type { LocalAddress } from './listener.js'
import { relay } from './relay.js'

/** What became of a client: 'done' when both sides ended, 'cut' when one was reset, 'gone' when it left during the dial. */
export type ConnectionResult = 'done' | 'cut' | 'gone' | DialFailure

/**
 * How a client came in: by a command of SOCKS5 or a method of HTTP, by a port that leads to one target,
 * through the tunnel, or by another process that joined it.
 */
export type Way = 'socks5' | 'connect' | 'http' | 'forward' | 'reverse' | 'serve' | 'join'

/** One connection, HTTP request, or association of UDP, told when it is over. */
export interface ConnectionRecord {
  readonly protocol: 'tcp' | 'udp'
  readonly way?: Way
  /** Absent for a client of a unix socket. */
  readonly client?: LocalAddress
  /** Absent for an association of UDP, which may have had many. */
  readonly target?: Target
  readonly result: ConnectionResult
  /** What ended it, unless both sides just did. */
  readonly error?: unknown
  /** Bytes from the client, and to it; of an HTTP request, those of the bodies. */
  readonly sent: number
  readonly received: number
  /** ms, the dial included. */
  readonly duration: number
}

/** One of a connection: it has a target. */
export type StreamRecord = ConnectionRecord & { readonly target: Target }

/** While it is written. */
type Told = { -readonly [Field in keyof StreamRecord]: StreamRecord[Field] }

/** Whom a way in serves. */
export interface ClientSocket extends RelaySocket {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

/** What a way in does for each of its clients. */
export interface ClientService {
  readonly way: Way
  readonly dial: Dialer
  /** A client that ends before it was answered has left; else it may just have nothing to say. */
  readonly endMeansGone: boolean
  /** The target stands: the last word to the client before the relay. */
  connected(client: ClientSocket, far: RelaySocket): void
  /** It does not; the client is still there and is ended by whoever is told. */
  failed(client: ClientSocket, failure: DialFailure, error: unknown): void
  over(record: StreamRecord): void
}

/** `client` is paused and has a listener for 'error'. */
export async function serveClient(client: ClientSocket, target: Target, service: ClientService): Promise<void> {
  const from = addressOf(client)
  const traffic = { sent: 0, received: 0 }
  const began = performance.now()
  const tell = (result: ConnectionResult, error?: unknown) => {
    const duration = performance.now() - began
    const { sent, received } = traffic
    const record: Told = { protocol: 'tcp', way: service.way, target, result, sent, received, duration }
    if (from !== undefined) record.client = from
    if (error !== undefined) record.error = error
    service.over(record)
  }
  let far: RelaySocket | undefined
  try {
    far = await dialFor(client, target, service)
  } catch (error) {
    const failure = dialFailure(error)
    service.failed(client, failure, error)
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

/** Where a client is; undefined for one of a unix socket. */
export function addressOf({ remoteAddress, remotePort }: ClientSocket): LocalAddress | undefined {
  return remoteAddress === undefined ? undefined : { host: remoteAddress, port: remotePort ?? 0 }
}

/** Last words. What still comes is read and dropped: to close over unread data would be a RST, which may overtake them. */
export function sendAway(client: ClientSocket, words: Uint8Array | string, lingerTimeout: number): void {
  client.end(words)
  client.resume()
  const timer = setTimeout(() => client.destroy(), lingerTimeout).unref()
  client.once('close', () => clearTimeout(timer))
}

/** Undefined if the client left meanwhile. */
async function dialFor(client: ClientSocket, target: Target, service: ClientService): Promise<RelaySocket | undefined> {
  const { dial, endMeansGone } = service
  const gone = new Departure()
  const leave = () => gone.leave(new Error('the client left'))
  if (client.destroyed) leave()
  client.once('close', leave)
  if (endMeansGone) client.once('end', leave)
  try {
    gone.throwIfAborted()
    const far = await dial(target, gone)
    if (!gone.aborted) return far
    far.destroy()
    return undefined
  } catch (error) {
    if (gone.aborted) return undefined
    throw error
  } finally {
    client.off('close', leave)
    client.off('end', leave)
  }
}
