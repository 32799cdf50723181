// A local port that leads to one target: `-L`. The client knows nothing of it, so a failed dial is a RST.
import type { Socket } from 'node:net'
import { type ClientService, type ConnectionRecord, serveClient } from './client.js'
import { type Dialer, ignore, type Target } from './dialer.js'
import { type LocalAddress, listenLocally } from './listener.js'

export interface ForwardLimits {
  /** Clients at a time; more are closed at once. */
  readonly maxConnections: number
}

export const defaultForwardLimits: ForwardLimits = { maxConnections: 16_384 }

export interface ForwardOptions extends LocalAddress {
  readonly target: Target
  readonly dial: Dialer
  readonly limits?: Partial<ForwardLimits>
  /** A dial failed; the client got a RST. */
  readonly onError?: (error: unknown, target: Target) => void
  /** A connection is over, whether or not its dial succeeded. */
  readonly onConnection?: (record: ConnectionRecord) => void
}

export interface Forward {
  /** As bound. */
  readonly address: LocalAddress
  /** Clients now. */
  readonly connections: number
  /** Accepts no more, cuts every client and gives up every dial. */
  close(): Promise<void>
}

/** Rejects with LISTEN_FAILED. */
export async function startForward(options: ForwardOptions): Promise<Forward> {
  const { host, port, target, dial, onError, onConnection } = options
  const { maxConnections } = { ...defaultForwardLimits, ...options.limits }

  const service: ClientService = {
    dial,
    endMeansGone: false,
    connected: () => {},
    failed: client => client.resetAndDestroy(),
    over(record) {
      if ('error' in record && record.result !== 'cut') onError?.(record.error, target)
      onConnection?.(record)
    },
  }

  function accept(client: Socket): void {
    client.on('error', ignore)
    client.pause()
    void serveClient(client, target, service)
  }

  const listener = await listenLocally({ host, port, maxConnections, accept, dropped: () => {} })
  return {
    address: listener.address,
    get connections() {
      return listener.connections
    },
    close: () => listener.close(),
  }
}
