// The unix socket of the userspace configuration protocol, by which wg(8) shows and changes a running tunnel. It gives the private
// key to whoever can connect, so it is this user's alone.
import { chmodSync, linkSync, lstatSync, mkdirSync, unlinkSync, watch } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'
import { uapiErrno } from '../core/config/uapi-values.js'
import { TunnelError } from '../errors.js'
import { isListening } from '../node/is-listening.js'

/** Where wg(8) looks, and nowhere else. */
export const uapiDirectory = '/var/run/wireguard'
/** Bytes of a socket's path that the kernel takes: sun_path without its NUL (unix(7): 108, elsewhere 104). */
const longestPath = process.platform === 'linux' ? 107 : 103
/** Rounds against others that leave a dead socket at the same place. */
const attempts = 10

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
    const inode = await publish(server, resolve(path))
    return createUapiSocket(resolve(path), inode, server, clients)
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

/** Binds beside `path` and links there, which fails where something is. Returns the socket's inode. */
async function publish(server: Server, path: string): Promise<number> {
  const own = join(dirname(path), `.${basename(path).slice(0, 20)}.${process.pid}`)
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(own)) > longestPath)
    throw new TunnelError('UAPI_SOCKET_FAILED', `${path} is too long for a socket: name a shorter one with --uapi`)
  if (dirname(path) === uapiDirectory) mkdirSync(uapiDirectory, { recursive: true, mode: 0o755 })
  remove(own)
  await listen(server, own)
  try {
    chmodSync(own, 0o600)
    for (let attempt = 1; ; attempt++) {
      try {
        linkSync(own, path)
        return lstatSync(path).ino
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === attempts) throw error
      }
      await clearAway(path)
    }
  } finally {
    remove(own)
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const mask = process.umask(0o077)
    try {
      // The socket is made before this returns.
      server.listen(path, () => {
        server.off('error', reject).on('error', () => {})
        server.unref()
        resolve()
      })
    } finally {
      process.umask(mask)
    }
  })
}

/** Removes what a process that was killed has left. Rejects where somebody listens, or where it is no socket. */
async function clearAway(path: string): Promise<void> {
  const entry = lstatSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return
  if (!entry.isSocket()) throw new TunnelError('UAPI_SOCKET_FAILED', `${path} is there and is no socket: remove it`)
  if (await isListening(path)) {
    throw new TunnelError(
      'UAPI_SOCKET_FAILED',
      `another interface listens on ${path}: take it down, or choose another name`,
    )
  }
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === entry.ino) remove(path)
}

function refused(path: string, cause: NodeJS.ErrnoException): TunnelError {
  const { code, message } = cause
  const reason =
    code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOENT'
      ? `${dirname(resolve(path))} cannot be written (${code}): run as root, or name a path of your own with --uapi PATH`
      : `${message}: name another path with --uapi PATH`
  return new TunnelError('UAPI_SOCKET_FAILED', `no socket at ${path}: ${reason}`, { cause })
}

function createUapiSocket(path: string, inode: number, server: Server, clients: ReadonlySet<Socket>): UapiSocket {
  const isOurs = () => lstatSync(path, { throwIfNoEntry: false })?.ino === inode
  const unpublish = () => {
    if (isOurs()) remove(path)
  }
  process.on('exit', unpublish)
  let watcher: ReturnType<typeof watch> | undefined
  const removed = new Promise<void>(resolve => {
    try {
      watcher = watch(dirname(path), { persistent: false }, () => {
        if (!isOurs()) resolve()
      }).on('error', () => {})
      if (!isOurs()) resolve()
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
        process.off('exit', unpublish)
        unpublish()
        server.close(() => resolve())
        for (const client of clients) client.destroy()
      })
      return closed
    },
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is gone.
  }
}
