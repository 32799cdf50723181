// `tunnel.Socket`: net.Socket's class for one tunnel, for libraries that make their sockets themselves.
import { TunnelSocket, type TunnelSocketOptions } from './socket.js'
import type { StackPort } from './stack-port.js'

export interface TunnelSocketConstructor {
  /** Not connected yet. */
  new (options?: TunnelSocketOptions): TunnelSocket
  readonly prototype: TunnelSocket
}

/** Every socket of the tunnel is an instance of it, whoever made it: dialled, accepted or handed over by a forwarder. */
export function bindSocketClass(stackPort: StackPort): TunnelSocketConstructor {
  class Socket extends TunnelSocket {
    constructor(options: TunnelSocketOptions = {}) {
      super(stackPort, options)
    }

    static override [Symbol.hasInstance](value: unknown): boolean {
      // biome-ignore lint/complexity/noThisInStatic: a class that extends this one has instances of its own
      if (this !== Socket) return Function.prototype[Symbol.hasInstance].call(this, value)
      return value instanceof TunnelSocket && (value as Socket).stackPort === stackPort
    }
  }
  return Socket
}
