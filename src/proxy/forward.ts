// A local port or unix socket that leads to one target: `-L`. The client knows nothing of it, so a failed dial is a RST.
import type { Socket } from 'node:net'
import { type ClientService, type ConnectionRecord, type StreamRecord, serveClient } from './client.js'
import { type Dialer, ignore, type Target } from './dialer.js'
import { type ListenAt, listenLocally } from './listener.js'

export interface ForwardLimits {
  /** Clients at a time; more are closed at once. */
  readonly maxConnections: number
}

export const defaultForwardLimits: ForwardLimits = { maxConnections: 16_384 }

export interface ForwardOptions<At extends ListenAt = ListenAt> {
  readonly at: At
  readonly target: Target
  readonly dial: Dialer
  readonly limits?: Partial<ForwardLimits>
  /** A dial failed; the client got a RST. */
  readonly onError?: (error: unknown, target: Target) => void
  /** A connection is over, whether or not its dial succeeded. */
  readonly onConnection?: (record: ConnectionRecord) => void
}

export interface Forward<At extends ListenAt = ListenAt> {
  /** As bound. */
  readonly address: At
  /** Clients now. */
  readonly connections: number
  /** Accepts no more, cuts every client and gives up every dial. */
  close(): Promise<void>
}

/** Rejects with LISTEN_FAILED. */
export async function startForward<At extends ListenAt>(options: ForwardOptions<At>): Promise<Forward<At>> {
  const { at } = options
  const { maxConnections } = { ...defaultForwardLimits, ...options.limits }
  const { target } = options
  const service = forwardService('forward', options)

  function accept(client: Socket): void {
    client.on('error', ignore)
    client.pause()
    void serveClient(client, target, service)
  }

  const listener = await listenLocally({ at, maxConnections, accept, dropped: () => {} })
  return {
    address: listener.address,
    get connections() {
      return listener.connections
    },
    close: () => listener.close(),
  }
}

/** Serves clients that are told nothing: a failed dial is a RST. */
export function forwardService(
  way: 'forward' | 'reverse',
  options: Pick<ForwardOptions, 'dial' | 'onError' | 'onConnection'>,
): ClientService {
  const { dial, onError, onConnection } = options
  return {
    way,
    dial,
    endMeansGone: false,
    connected: () => {},
    failed: client => client.resetAndDestroy(),
    over(record: StreamRecord) {
      if ('error' in record && record.result !== 'cut') onError?.(record.error, record.target)
      onConnection?.(record)
    },
  }
}
