// A local TCP port of a way in: opened with an error that names port and remedy, and closed with everything that hangs on it.
import { createServer, type Server, type Socket } from 'node:net'
import { TunnelError } from '../errors.js'

export interface LocalAddress {
  readonly host: string
  readonly port: number
}

export interface LocalListener {
  /** As bound: the port that was taken where 0 was asked for. */
  readonly address: LocalAddress
  /** Connections open now. */
  readonly connections: number
  /** Accepts no more and cuts what is open. */
  close(): Promise<void>
}

export interface LocalListenerOptions extends LocalAddress {
  /** Connections at a time; more are closed at once. */
  readonly maxConnections: number
  accept(socket: Socket): void
  /** A connection beyond the bound was closed. */
  dropped(): void
}

/** Rejects with LISTEN_FAILED. */
export async function listenLocally(options: LocalListenerOptions): Promise<LocalListener> {
  const { host, port, maxConnections, accept, dropped } = options
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    open.add(socket)
    socket.on('close', forget)
    accept(socket)
  })
  function forget(this: Socket): void {
    open.delete(this)
  }
  server.maxConnections = maxConnections
  server.on('drop', dropped)
  await listening(server, host, port)
  const bound = server.address() as { address: string; port: number }
  return {
    address: { host: bound.address, port: bound.port },
    get connections() {
      return open.size
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(listenError(error, host, port)))
    server.listen({ host, port }, () => {
      server.removeAllListeners('error')
      // accept(2) may fail for want of descriptors; the server goes on, and so does the process.
      server.on('error', () => {})
      resolve()
    })
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): TunnelError {
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const why =
    error.code === 'EADDRINUSE'
      ? 'the port is taken: stop the other program, or choose another port (0 takes a free one)'
      : error.code === 'EACCES'
        ? 'ports below 1024 need privileges here: choose a higher one (0 takes a free one)'
        : error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND'
          ? `${host} is not an address of this host: use 127.0.0.1 or [::1]`
          : `${error.message}: choose another address or port`
  return new TunnelError('LISTEN_FAILED', `cannot listen on ${where}: ${why}`, { cause: error })
}

/** Whether only this host can reach what is bound there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
