// Signals that end a command. The first lets it close cleanly; a second one ends the process at once.
import { removeAtExit } from '../node/control.js'

export interface Stop {
  /** Aborts at the first signal, or when {@link end} is called. */
  readonly signal: AbortSignal
  /** Stops as a signal would, for this reason. */
  end(why: string): void
  /** Stops listening for signals. */
  done(): void
}

export function stopAt(signals: readonly NodeJS.Signals[]): Stop {
  const stopping = new AbortController()
  let isSignalled = false
  const stop = (name: NodeJS.Signals) => {
    if (isSignalled) process.exit(1)
    isSignalled = true
    stopping.abort(new Error(`stopped by ${name}`))
  }
  for (const name of signals) process.on(name, stop)
  return {
    signal: stopping.signal,
    end: why => stopping.abort(new Error(why)),
    done() {
      for (const name of signals) process.off(name, stop)
    },
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Returns what removes a file that the command has made; should the process end before it is called, it is removed then. */
export function removal(remove: () => void): () => void {
  const keep = removeAtExit(remove)
  return () => {
    keep()
    remove()
  }
}
