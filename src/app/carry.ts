// One connection on two streams: an end for an end each way, and an end to everything when either side breaks off.
import type { Duplex } from 'node:stream'
import type { StandardIo } from './standard-io.js'

/** `done`: both directions ended. `dropped`: who reads the output went away. `aborted`: by the signal. */
export type Outcome = 'done' | 'dropped' | 'aborted'

/** Resolves when it is over and what came was written. Rejects with the connection's error, likewise. */
export function carry(
  connection: Duplex,
  io: Pick<StandardIo, 'input' | 'output' | 'isTerminal' | 'endOutput'>,
  signal: AbortSignal,
): Promise<Outcome> {
  const { input, output } = io
  return new Promise((resolve, reject) => {
    let failure: Error | undefined
    const finish = (outcome: Outcome) => {
      signal.removeEventListener('abort', abort)
      const settle = () => {
        if (failure === undefined || outcome !== 'done') resolve(outcome)
        else reject(failure)
      }
      if (connection.closed) settle()
      else connection.once('close', settle).destroy()
    }
    const abort = () => finish('aborted')

    connection.on('error', error => {
      failure ??= error
    })
    connection.on('close', () => {
      if (!connection.readableEnded) failure ??= new Error('it was closed half-way')
      void io.endOutput().then(() => finish('done'))
    })
    connection.on('end', () => {
      void io.endOutput()
      if (io.isTerminal) connection.end()
    })
    output.on('error', () => finish('dropped'))
    // Input that cannot be read has nothing more to say; what comes back still counts.
    input.on('error', () => connection.end())
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)

    input.pipe(connection)
    connection.pipe(output, { end: false })
  })
}
