// The unix socket of the userspace configuration protocol, by which wg(8) shows and changes a running tunnel. It gives the private
// key to whoever can connect, so it is this user's alone.
import { mkdirSync, watch } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { uapiErrno } from '../core/config/uapi-values.js'
import { TunnelError } from '../errors.js'
import { listenAtPath, type UnixSocket, type UnixSocketWords } from '../node/unix-socket.js'

/** Where wg(8) looks, and nowhere else. */
export const uapiDirectory = '/var/run/wireguard'
const words: UnixSocketWords = {
  code: 'UAPI_SOCKET_FAILED',
  shorter: 'name a shorter one with --uapi',
  other: 'another interface',
  instead: 'take it down, or choose another name',
}

export interface UapiLimits {
  /** Connections at once. */
  readonly clients: number
  /** Bytes of one request: several hundred thousand AllowedIPs. */
  readonly request: number
  /** How long a client may be silent, ms. */
  readonly idle: number
}

export const defaultUapiLimits: UapiLimits = { clients: 32, request: 32 * 1024 * 1024, idle: 30_000 }

/** Answers a request, given without its empty line; the answer ends with one. Never rejects. */
export type UapiHandler = (request: string) => Promise<string>

export interface UapiSocket {
  readonly path: string
  /** Resolves when somebody else removes the socket, which is how such an interface is taken down. */
  readonly removed: Promise<void>
  /** Removes the socket and breaks off whoever is connected. */
  close(): Promise<void>
}

/** The socket's path for `wg show NAME`. */
export function uapiPath(name: string): string {
  return join(uapiDirectory, `${name}.sock`)
}

/** Listens at `path`, in place of a socket that nobody listens on any more. Rejects with UAPI_SOCKET_FAILED. */
export async function serveUapi(
  path: string,
  handle: UapiHandler,
  limits: UapiLimits = defaultUapiLimits,
): Promise<UapiSocket> {
  const clients = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, client => {
    client.on('error', () => {})
    if (clients.size >= limits.clients) {
      client.destroy()
      return
    }
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.setTimeout(limits.idle, () => client.destroy())
    serve(client, handle, limits).catch(() => client.destroy())
  })
  try {
    if (dirname(resolve(path)) === uapiDirectory) mkdirSync(uapiDirectory, { recursive: true, mode: 0o755 })
    const socket = await listenAtPath(server, path, words)
    server.unref()
    return createUapiSocket(socket, server, clients)
  } catch (error) {
    server.close()
    throw error instanceof TunnelError ? error : refused(path, error as NodeJS.ErrnoException)
  }
}

async function serve(client: Socket, handle: UapiHandler, limits: UapiLimits): Promise<void> {
  let chunks: Buffer[] = []
  let length = 0
  let last = 0
  for await (const chunk of client as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    const mayEnd = chunk.includes('\n\n') || (last === 0x0a && chunk[0] === 0x0a)
    last = chunk.at(-1) ?? last
    if (mayEnd) {
      const received = Buffer.concat(chunks)
      let start = 0
      for (let end = received.indexOf('\n\n'); end >= 0; end = received.indexOf('\n\n', start)) {
        if (!client.write(await handle(received.toString('latin1', start, end)))) await drained(client)
        start = end + 2
      }
      received.fill(0, 0, start) // It may have held keys.
      chunks = start < received.length ? [received.subarray(start)] : []
      length = received.length - start
      last = length > 0 ? last : 0
    }
    if (length <= limits.request) continue
    client.end(`errno=${uapiErrno.tooLong}\n\n`, () => client.destroy())
    return
  }
  client.end()
}

function drained(client: Socket): Promise<void> {
  return new Promise(resolve => {
    if (client.destroyed) resolve()
    else client.once('drain', resolve).once('close', resolve)
  })
}

function refused(path: string, cause: NodeJS.ErrnoException): TunnelError {
  const { code, message } = cause
  const reason =
    code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOENT'
      ? `${dirname(resolve(path))} cannot be written (${code}): run as root, or name a path of your own with --uapi PATH`
      : `${message}: name another path with --uapi PATH`
  return new TunnelError('UAPI_SOCKET_FAILED', `no socket at ${path}: ${reason}`, { cause })
}

function createUapiSocket(socket: UnixSocket, server: Server, clients: ReadonlySet<Socket>): UapiSocket {
  const { path } = socket
  let watcher: ReturnType<typeof watch> | undefined
  const removed = new Promise<void>(resolve => {
    try {
      watcher = watch(dirname(path), { persistent: false }, () => {
        if (!socket.isThere()) resolve()
      }).on('error', () => {})
      if (!socket.isThere()) resolve()
    } catch {
      // No more watches to be had: it is then only not noticed.
    }
  })
  let closed: Promise<void> | undefined
  return {
    path,
    removed,
    close() {
      closed ??= new Promise(resolve => {
        watcher?.close()
        socket.remove()
        server.close(() => resolve())
        for (const client of clients) client.destroy()
      })
      return closed
    },
  }
}
