// What ends a dial early: whom it is for has left. It is as much of AbortSignal as a dialer needs, for an AbortController of
// its own is a twentieth of a short connection's CPU.

/** The part of AbortSignal that dialers use; an AbortSignal is one. */
export interface DialSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export class Departure implements DialSignal {
  aborted = false
  reason: unknown
  #listeners: (() => void)[] = []

  /** Tells each listener, once. */
  leave(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.aborted) this.#listeners.push(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const at = this.#listeners.indexOf(listener)
    if (at >= 0) this.#listeners.splice(at, 1)
  }
}

/** For whoever needs all of an AbortSignal. */
export function abortSignalOf(signal: DialSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal
  const controller = new AbortController()
  if (signal.aborted) controller.abort(signal.reason)
  else signal.addEventListener('abort', () => controller.abort(signal.reason))
  return controller.signal
}
