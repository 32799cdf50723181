// Whether a process still listens on a unix socket, or has left it behind.
import { connect } from 'node:net'

/** False where the socket refuses or is gone; anything else, a full backlog for instance (EAGAIN), is a process that lives. */
export function isListening(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}
