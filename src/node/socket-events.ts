// Carries a connection's events out of the stack to whoever owns the connection now: first the dial, then the socket.
import { AsyncResource } from 'node:async_hooks'
import type { SocketCode, TcpEvents } from '../core/netstack/stack.js'

/** Who a connection belongs to. Called from the stack's flush, and never once {@link ConnectionEvents.detach} was. */
export interface ConnectionOwner {
  /** @internal */
  handleConnected(events: ConnectionEvents): void
  /** @internal */
  handleReadable(): void
  /** @internal */
  handleWritable(): void
  /** @internal */
  handleClosed(code: SocketCode | undefined, events: ConnectionEvents): void
}

/**
 * Runs the owner in the async context that the connection was made in, as Node does for its own sockets. What a listener
 * throws becomes an uncaught exception; it must not unwind the stack in the middle of a turn.
 */
export class ConnectionEvents extends AsyncResource implements TcpEvents {
  owner: ConnectionOwner | undefined

  constructor(owner?: ConnectionOwner) {
    super('TUNNELSOCKET', { requireManualDestroy: true })
    this.owner = owner
  }

  connected(): void {
    this.run(() => this.owner?.handleConnected(this))
  }

  readable(): void {
    this.run(callReadable, this.owner)
  }

  writable(): void {
    this.run(callWritable, this.owner)
  }

  closed(code?: SocketCode): void {
    this.run(() => this.owner?.handleClosed(code, this))
  }

  /** Runs `action` in this connection's async context; what it throws is thrown on outside the stack. */
  run<T>(action: (argument: T) => void, argument?: T): void {
    try {
      this.runInAsyncScope(action, undefined, argument as T)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }

  /** Nobody is told anything any more. */
  detach(): void {
    if (this.owner === undefined) return
    this.owner = undefined
    this.emitDestroy()
  }
}

function callReadable(owner: ConnectionOwner | undefined): void {
  owner?.handleReadable()
}

function callWritable(owner: ConnectionOwner | undefined): void {
  owner?.handleWritable()
}
