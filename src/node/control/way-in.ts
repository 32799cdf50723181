// A way into a tunnel for the children of one process alone: a control socket without a claim to a key, in the private directory,
// whose path they are told. What is dialled through it is for its owner to decide.
import { randomBytes } from 'node:crypto'
import { readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { isListening } from '../is-listening.js'
import { here, makeDirectory, ownerOf, type Surroundings } from './directory.js'
import { listenAt, removeAtExit } from './listen.js'
import { type ControlHandlers, type ControlLimits, ControlServer, defaultLimits } from './server.js'

/** Rounds against others that remove the empty directory. */
const attempts = 100

export interface ControlWayIn {
  readonly path: string
  /** Removes the socket and breaks off the clients. */
  close(): Promise<void>
}

/** Returns the reason where there is no place for a socket. Rejects with CONTROL_DIRECTORY_UNSAFE. */
export async function openControlWayIn(
  handlers: ControlHandlers,
  options: { readonly limits?: Partial<ControlLimits>; readonly surroundings?: Surroundings } = {},
): Promise<ControlWayIn | { readonly reason: string }> {
  const clients = new ControlServer(handlers, { ...defaultLimits, ...options.limits })
  for (let attempt = 1; ; attempt++) {
    const place = makeDirectory(options.surroundings ?? here)
    if ('reason' in place) return place
    const path = join(place.path, `run.${process.pid}-${randomBytes(4).toString('hex')}`)
    try {
      const server = await listenAt(path, clients)
      await sweep(place.path)
      return create(place.path, path, server, clients)
    } catch (error) {
      if (ownerOf(place.path) === undefined && attempt < attempts) continue
      return { reason: `${place.path} takes no socket (${(error as NodeJS.ErrnoException).code ?? error})` }
    }
  }
}

function create(directory: string, path: string, server: Server, clients: ControlServer): ControlWayIn {
  const remove = () => {
    attemptTo(() => unlinkSync(path))
    attemptTo(() => rmdirSync(directory))
  }
  const keep = removeAtExit(remove)
  return {
    path,
    close() {
      keep()
      remove()
      server.close()
      return clients.close()
    },
  }
}

/** Removes what processes left that were killed. */
async function sweep(directory: string): Promise<void> {
  for (const name of readdirSync(directory).filter(entry => /^run\.\d{1,10}-[0-9a-f]{8}$/.test(entry))) {
    const path = join(directory, name)
    if (!(await isListening(path))) attemptTo(() => unlinkSync(path))
  }
}

function attemptTo(action: () => void): void {
  try {
    action()
  } catch {
    // It is gone already, others have their sockets there, or the directory is read-only by now.
  }
}
