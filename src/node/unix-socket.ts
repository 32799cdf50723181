// A unix socket at a path of its own: this user's alone from the first moment, in place of one that a killed process left behind
// and of nothing else, and gone with its process.
import { chmodSync, linkSync, lstatSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'
import { TunnelError, type TunnelErrorCode } from '../errors.js'
import { isListening } from './is-listening.js'

/** Bytes of a socket's path that the kernel takes: sun_path without its NUL (unix(7): 108, elsewhere 104). */
export const longestSocketPath = process.platform === 'linux' ? 107 : 103
/** Rounds against others that leave a dead socket at the same place. */
const attempts = 10

/** How a failure is told. */
export interface UnixSocketWords {
  readonly code: TunnelErrorCode
  /** What follows `PATH is too long for a socket: `. */
  readonly shorter: string
  /** Who listens there: `another interface`, and what to do about it. */
  readonly other: string
  readonly instead: string
}

export interface UnixSocket {
  /** Absolute. */
  readonly path: string
  /** Whether it is still there and this one. */
  isThere(): boolean
  /** Removes it, unless another one is there by now. */
  remove(): void
}

const published = new Set<UnixSocket>()

/** Makes `server` listen at `path`, mode 0600. Rejects with a TunnelError in these words, or with the system's error. */
export async function listenAtPath(server: Server, path: string, words: UnixSocketWords): Promise<UnixSocket> {
  const full = resolve(path)
  const inode = await publish(server, full, words)
  const isThere = () => lstatSync(full, { throwIfNoEntry: false })?.ino === inode
  const socket: UnixSocket = {
    path: full,
    isThere,
    remove() {
      published.delete(socket)
      if (published.size === 0) process.off('exit', removeAll)
      if (isThere()) unlink(full)
    },
  }
  if (published.size === 0) process.on('exit', removeAll)
  published.add(socket)
  return socket
}

function removeAll(): void {
  for (const socket of published) socket.remove()
}

/** Binds beside `path` and links there, which fails where something is. Returns the socket's inode. */
async function publish(server: Server, path: string, words: UnixSocketWords): Promise<number> {
  const own = join(dirname(path), `.${basename(path).slice(0, 20)}.${process.pid}`)
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(own)) > longestSocketPath)
    throw new TunnelError(words.code, `${path} is too long for a socket: ${words.shorter}`)
  unlink(own)
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
      await clearAway(path, words)
    }
  } finally {
    unlink(own)
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
        resolve()
      })
    } finally {
      process.umask(mask)
    }
  })
}

/** Removes what a process that was killed has left. Rejects where somebody listens, or where it is no socket. */
async function clearAway(path: string, { code, other, instead }: UnixSocketWords): Promise<void> {
  const entry = lstatSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return
  if (!entry.isSocket()) throw new TunnelError(code, `${path} is there and is no socket: remove it`)
  if (await isListening(path)) throw new TunnelError(code, `${other} listens on ${path}: ${instead}`)
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === entry.ino) unlink(path)
}

function unlink(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is gone.
  }
}
