// The private directory of control sockets: `$XDG_RUNTIME_DIR/tunless`, else `${TMPDIR:-/tmp}/tunless-UID`. Who can write there
// could read what others send through a tunnel, so it must be ours and closed to everyone else.
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { TunnelError } from '../../errors.js'
import { longestSocketPath } from '../unix-socket.js'

/** `HASH.PID-NONCE`, the longest name in the directory that is bound: 16 + 1 + 10 + 1 + 8. */
const longestName = 36

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Undefined on a platform without user numbers; there is no control socket then. */
  readonly uid: number | undefined
}

export const here: Surroundings = { env: process.env, uid: process.getuid?.() }

/** The name under which a key is claimed: a hash, so that a listing of the directory tells no keys. */
export function keyName(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 16)
}

/** Where the directory may be, in the order of preference: one or two paths, short enough for a socket's name. */
export function directoryCandidates({ env, uid }: Surroundings): string[] {
  if (uid === undefined) return []
  const { XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = env
  const candidates: string[] = []
  // After `su` or `sudo` the variable may still name the other user's directory.
  if (runtime && isAbsolute(runtime) && ownerOf(runtime) === uid) candidates.push(join(runtime, 'tunless'))
  const own = temporary && isAbsolute(temporary) ? join(temporary, `tunless-${uid}`) : undefined
  candidates.push(own !== undefined && isShort(own) ? own : `/tmp/tunless-${uid}`)
  return candidates.filter(isShort)
}

function isShort(path: string): boolean {
  return Buffer.byteLength(path) + 1 + longestName <= longestSocketPath
}

/** The candidates that exist and are safe. Throws CONTROL_DIRECTORY_UNSAFE where the first that exists is not. */
export function findDirectories(surroundings: Surroundings): string[] {
  const existing = directoryCandidates(surroundings).filter(path => ownerOf(path) !== undefined)
  if (existing[0] !== undefined) mustBePrivate(existing[0], surroundings.uid)
  return existing.filter((path, index) => index === 0 || isPrivate(path, surroundings.uid))
}

/**
 * Creates the first candidate that can be, unless it is there. Returns its path, or the reason why there is none.
 * Throws CONTROL_DIRECTORY_UNSAFE.
 */
export function makeDirectory(surroundings: Surroundings): { path: string } | { reason: string } {
  let reason = 'this platform has no private directory for it'
  for (const path of directoryCandidates(surroundings)) {
    try {
      mkdirSync(path, { mode: 0o700 })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') {
        reason = `${path} cannot be made (${code})`
        continue
      }
    }
    mustBePrivate(path, surroundings.uid)
    return { path }
  }
  return { reason }
}

/** Undefined where the path leads to nothing that we may see. */
export function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid
  } catch {
    return undefined
  }
}

function isPrivate(path: string, uid: number | undefined): boolean {
  return unsafety(path, uid) === undefined
}

function mustBePrivate(path: string, uid: number | undefined): void {
  const why = unsafety(path, uid)
  if (why === undefined) return
  const remedy = 'remove it, or set XDG_RUNTIME_DIR to a private directory'
  throw new TunnelError('CONTROL_DIRECTORY_UNSAFE', `the directory for control sockets, ${path}, ${why}: ${remedy}`)
}

function unsafety(path: string, uid: number | undefined): string | undefined {
  const entry = lstatSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return undefined
  if (!entry.isDirectory()) return 'is not a directory'
  if (entry.uid !== uid) return `belongs to another user (uid ${entry.uid})`
  if ((entry.mode & 0o077) !== 0) return `is open to others (mode ${(entry.mode & 0o777).toString(8)})`
  return undefined
}
