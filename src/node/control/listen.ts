// A unix socket in the private directory that serves those who join.
import { createServer, type Server } from 'node:net'
import type { ControlServer } from './server.js'

/** Listens at `path`; that alone keeps no process alive. Rejects with the socket's error. */
export function listenAt(path: string, clients: ControlServer): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, socket => void clients.serve(socket))
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject).on('error', () => {})
      server.unref()
      resolve(server)
    })
  })
}

/** What processes may leave behind, removed should they end without doing so themselves. */
const held = new Set<() => void>()

let listensForExit = false

/** Runs `remove` when the process exits, unless the function that it returns was called before. */
export function removeAtExit(remove: () => void): () => void {
  held.add(remove)
  if (!listensForExit) {
    listensForExit = true
    process.on('exit', () => {
      for (const each of held) each()
    })
  }
  return () => void held.delete(remove)
}
