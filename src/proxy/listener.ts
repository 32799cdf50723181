// A local TCP port, or a unix socket, of a way in: opened with an error that names it and the remedy, and closed with everything
// that hangs on it.
import { createServer, type Server, type Socket } from 'node:net'
import { TunnelError } from '../errors.js'
import { listenAtPath, type UnixSocket, type UnixSocketWords } from '../node/unix-socket.js'
import { asRelaySocket, formatTarget, ignore } from './dialer.js'

export interface LocalAddress {
  readonly host: string
  readonly port: number
}

/** A unix socket of this user alone. */
export interface LocalPath {
  readonly path: string
}

export type ListenAt = LocalAddress | LocalPath

export interface LocalListener<At extends ListenAt = ListenAt> {
  /** As bound: the port that was taken where 0 was asked for. */
  readonly address: At
  /** Connections open now. */
  readonly connections: number
  /** Accepts no more and cuts what is open. */
  close(): Promise<void>
}

export interface LocalListenerOptions<At extends ListenAt = ListenAt> {
  readonly at: At
  /** Connections at a time; of more, one is closed at once. */
  readonly maxConnections: number
  accept(socket: Socket): void
  /** Those that make room for a newcomer, the first of them first; where there is none, the newcomer is closed. */
  readonly yielding?: Iterable<Socket>
  /** A connection was closed for want of room. */
  dropped(): void
}

const words: UnixSocketWords = {
  code: 'LISTEN_FAILED',
  shorter: 'choose a shorter one',
  other: 'another program',
  instead: 'stop it, or choose another path',
}

/** Rejects with LISTEN_FAILED. */
export async function listenLocally<At extends ListenAt>(
  options: LocalListenerOptions<At>,
): Promise<LocalListener<At>> {
  const { at, maxConnections, accept, yielding = [], dropped } = options
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    if (open.size >= maxConnections && !makeRoom()) {
      socket.on('error', ignore).destroy()
      return
    }
    open.add(socket)
    socket.on('close', forget)
    accept('path' in at ? asRelaySocket(socket) : socket)
  })
  function forget(this: Socket): void {
    open.delete(this)
  }
  function makeRoom(): boolean {
    dropped()
    for (const socket of yielding) {
      if (!open.delete(socket)) continue
      socket.destroy()
      return true
    }
    return false
  }
  let published: UnixSocket | undefined
  if ('path' in at) published = await publish(server, at.path)
  else await listening(server, at.host, at.port)
  const address = published === undefined ? boundAddress(server) : { path: published.path }
  return {
    address: address as ListenAt as At,
    get connections() {
      return open.size
    },
    close: () =>
      new Promise(resolve => {
        published?.remove()
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

function boundAddress(server: Server): LocalAddress {
  const { address, port } = server.address() as { address: string; port: number }
  return { host: address, port }
}

async function publish(server: Server, path: string): Promise<UnixSocket> {
  try {
    return await listenAtPath(server, path, words)
  } catch (error) {
    server.close()
    if (error instanceof TunnelError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' || code === 'EACCES' ? 'its directory is missing, or not yours to write in' : message
    throw new TunnelError('LISTEN_FAILED', `cannot listen on ${path}: ${why}: choose another path`, { cause: error })
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

/** LISTEN_FAILED with the remedy. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): TunnelError {
  const where = formatTarget({ host, port })
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

/** `127.0.0.1:1080`, `[::1]:1080`, or a path. */
export function formatListenAt(at: ListenAt): string {
  return 'path' in at ? at.path : formatTarget(at)
}

/** Whether only this host can reach what is bound there. */
export function isLoopback(at: ListenAt): boolean {
  if ('path' in at) return true
  const { host } = at
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
