// Claims a key for this process. The claim is a symbolic link, `HASH -> HASH.PID-NONCE`, to a socket that already listens:
// making a link is atomic and fails where one is, it names the holder even when that one hangs, and a link whose socket refuses
// belongs to a process that ended without cleaning up.
import { randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { TunnelError } from '../../errors.js'
import { isListening } from '../is-listening.js'
import { findDirectories, here, keyName, makeDirectory, ownerOf, type Surroundings } from './directory.js'
import { listenAt, removeAtExit } from './listen.js'
import { type ControlHandlers, type ControlLimits, ControlServer, defaultLimits } from './server.js'

/** Rounds against others that claim, leave and clear away at the same time. */
const attempts = 100

export interface ClaimOptions {
  readonly limits?: Partial<ControlLimits>
  /** Environment and user; this process's own by default. */
  readonly surroundings?: Surroundings
}

/** A key that this process holds. */
export interface Claim {
  /** Why there is no control socket, where none could be made: the tunnel runs, but others cannot join it or see that it runs. */
  readonly warning: string | undefined
  /** Clients that hold the tunnel now. */
  readonly joined: number
  /** Resolves when no client holds the tunnel; at once if none does. */
  idle(): Promise<void>
  /** Gives the key back, removes the socket and breaks off the clients, but for those who wait for the process to end. */
  release(): Promise<void>
}

/**
 * Claims the key for this process and serves those who join. Rejects with TUNNEL_KEY_IN_USE, which names the holder's pid, or
 * CONTROL_DIRECTORY_UNSAFE. Where no socket can be made (a read-only file system) the claim comes with a warning instead.
 */
export async function claimKey(
  publicKey: Uint8Array,
  handlers: ControlHandlers,
  options: ClaimOptions = {},
): Promise<Claim> {
  const surroundings = options.surroundings ?? here
  const name = keyName(publicKey)
  const clients = new ControlServer(handlers, { ...defaultLimits, ...options.limits })
  for (const directory of findDirectories(surroundings)) await refuseHeldElsewhere(directory, name)
  for (let attempt = 1; ; attempt++) {
    const place = makeDirectory(surroundings)
    if ('reason' in place) return unclaimed(place.reason)
    const socketName = `${name}.${process.pid}-${randomBytes(4).toString('hex')}`
    let server: Server | undefined
    try {
      server = await listenAt(join(place.path, socketName), clients)
      await publish(place.path, name, socketName)
      await sweep(place.path)
      return createClaim(place.path, name, socketName, server, clients)
    } catch (error) {
      server?.close()
      if (error instanceof TunnelError) throw error
      // Another process that left may have removed the empty directory.
      if (ownerOf(place.path) === undefined && attempt < attempts) continue
      return unclaimed(`${place.path} takes no socket (${(error as NodeJS.ErrnoException).code ?? error})`)
    }
  }
}

function unclaimed(reason: string): Claim {
  const warning = `no control socket: ${reason}; others cannot join this tunnel, nor see that its key is in use`
  return { warning, joined: 0, idle: async () => {}, release: async () => {} }
}

/** Makes the link, in the place of a dead one if need be. */
async function publish(directory: string, name: string, socketName: string): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      symlinkSync(socketName, join(directory, name))
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    await refuseHeld(directory, name)
  }
  throw Object.assign(new Error('others claim and leave this key without end'), { code: 'EBUSY' })
}

/** As {@link refuseHeld}, in a directory that may not be the one to claim in: it need not be writable. */
async function refuseHeldElsewhere(directory: string, name: string): Promise<void> {
  try {
    await refuseHeld(directory, name)
  } catch (error) {
    if (error instanceof TunnelError) throw error
  }
}

/** Rejects with TUNNEL_KEY_IN_USE where a live process holds the key, and clears a dead one's claim away. */
async function refuseHeld(directory: string, name: string): Promise<void> {
  const holder = readClaim(directory, name)
  if (holder === undefined) return
  if (await isListening(join(directory, holder))) {
    const pid = pidOf(holder)
    const who = pid === process.pid ? 'this process' : `process ${pid}`
    throw new TunnelError(
      'TUNNEL_KEY_IN_USE',
      `${who} already runs a tunnel with this private key: stop it, use its tunnel, or give this one a key of its own`,
    )
  }
  clearAway(directory, name, holder)
}

/** Clears away what processes left that were killed: nobody else may ever claim their keys. */
async function sweep(directory: string): Promise<void> {
  for (const name of readdirSync(directory).filter(entry => /^[0-9a-f]{16}$/.test(entry))) {
    try {
      const holder = readClaim(directory, name)
      if (holder === undefined || isAlive(pidOf(holder))) continue
      if (!(await isListening(join(directory, holder)))) clearAway(directory, name, holder)
    } catch {
      // Not ours to tidy.
    }
  }
}

function pidOf(holder: string): number {
  return Number(holder.split(/[.-]/)[1])
}

/** The name of the socket that the claim points to. */
function readClaim(directory: string, name: string): string | undefined {
  const path = join(directory, name)
  try {
    const target = readlinkSync(path)
    if (/^[0-9a-f]{16}\.\d{1,10}-[0-9a-f]{8}$/.test(target) && target.startsWith(`${name}.`)) return target
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code !== 'EINVAL') throw error
  }
  throw new TunnelError('CONTROL_DIRECTORY_UNSAFE', `${path} was not made by tunless: remove it`)
}

/**
 * Removes a dead process's claim, and never a live one's: who makes the link `HOLDER.clear-N` may remove that one claim, whose
 * name no other process ever has. The lock of a process that died over it passes to the next number.
 */
function clearAway(directory: string, name: string, holder: string): void {
  const lockPath = (n: number) => join(directory, `${holder}.clear-${n}`)
  let mine = 0
  while (!tryLock(lockPath(mine))) {
    const other = readLock(lockPath(mine))
    if (other !== undefined && isAlive(Number(other))) return // It is about to be done.
    mine++
  }
  try {
    if (readClaim(directory, name) === holder) unlinkSync(join(directory, name))
    remove(join(directory, holder))
  } finally {
    for (let n = 0; n <= mine; n++) remove(lockPath(n))
  }
}

function tryLock(lock: string): boolean {
  try {
    symlinkSync(String(process.pid), lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readLock(lock: string): string | undefined {
  try {
    return readlinkSync(lock)
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function createClaim(
  directory: string,
  name: string,
  socketName: string,
  server: Server,
  clients: ControlServer,
): Claim {
  let released: Promise<void> | undefined
  const unpublish = () => {
    if (readLock(join(directory, name)) === socketName) remove(join(directory, name))
    remove(join(directory, socketName))
    try {
      rmdirSync(directory)
    } catch {
      // Others have their sockets there.
    }
  }
  const keep = removeAtExit(unpublish)
  return {
    warning: undefined,
    get joined() {
      return clients.joined
    },
    idle: () => clients.idle(),
    release() {
      if (released === undefined) {
        keep()
        unpublish()
        server.close()
        released = clients.close()
      }
      return released
    },
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is gone already, or the directory is read-only by now.
  }
}
