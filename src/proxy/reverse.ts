// A port on the tunnel's own addresses that leads to the local side: `-R`. A peer knows nothing of it: a failed dial is a RST.
import { TunnelError } from '../errors.js'
import type { TunnelServer, TunnelServerOptions } from '../node/server.js'
import type { TunnelSocket } from '../node/socket.js'
import { serveClient } from './client.js'
import { formatTarget, ignore, type Target } from './dialer.js'
import { type ForwardLimits, type ForwardOptions, forwardService } from './forward.js'
import type { LocalAddress } from './listener.js'

export interface ReverseAt {
  /** One of the tunnel's addresses, or a name of one; all of them without it. */
  readonly host?: string
  readonly port: number
}

export interface ReverseOptions extends Omit<ForwardOptions, 'at'> {
  readonly at: ReverseAt
  /** A server of the tunnel. */
  readonly createServer: (options: TunnelServerOptions, accept: (client: TunnelSocket) => void) => TunnelServer
}

/** It is the network's clients that it faces, not this host's. */
export const defaultReverseLimits: ForwardLimits = { maxConnections: 4096 }

export interface Reverse {
  /** As bound; `::` stands for all of the tunnel's addresses. */
  readonly address: LocalAddress
  /** Clients now. */
  readonly connections: number
  /** Accepts no more, cuts every client and gives up every dial. */
  close(): Promise<void>
}

/** Rejects with LISTEN_FAILED. */
export async function startReverse(options: ReverseOptions): Promise<Reverse> {
  const { at, target, createServer } = options
  const service = forwardService('reverse', options)
  const open = new Set<TunnelSocket>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, client => {
    open.add(client)
    client.on('error', ignore)
    client.once('close', () => open.delete(client))
    void serveClient(client, target, service)
  })
  server.maxConnections = { ...defaultReverseLimits, ...options.limits }.maxConnections
  await listening(server, at)
  server.on('error', ignore)
  const { address: host, port } = server.address() as { address: string; port: number }
  return {
    address: { host, port },
    get connections() {
      return open.size
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const client of open) client.destroy()
      }),
  }
}

function listening(server: TunnelServer, { host, port }: ReverseAt): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => reject(listenError(error, { host: host ?? '*', port }))
    server.once('error', failed)
    server.listen({ port, ...(host !== undefined && { host }) }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

function listenError(error: NodeJS.ErrnoException, at: Target): TunnelError {
  const why =
    error.code === 'EADDRINUSE'
      ? 'the port is taken there: choose another one (0 takes a free one)'
      : error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND'
        ? `${at.host} is none of its addresses: leave it out to listen on all of them`
        : `${error.message}: choose another address or port`
  return new TunnelError('LISTEN_FAILED', `cannot listen on ${formatTarget(at)} in the tunnel: ${why}`, {
    cause: error,
  })
}
