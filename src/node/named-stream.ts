// What a connection's stream tells of itself as net.Socket does: its two ends and its state.
import { type InspectOptions, inspect } from 'node:util'
import { ConnectionStream } from './connection-stream.js'
import { type AddressInfo, addressInfo } from './dial.js'

export abstract class NamedStream extends ConnectionStream {
  // Optional as net's types have them, which a getter cannot be: so that a socket is a net.Socket to every compiler.
  declare readonly localAddress?: string
  declare readonly localPort?: number
  declare readonly localFamily?: string

  static {
    Object.defineProperties(NamedStream.prototype, {
      localAddress: { configurable: true, get: localAddress },
      localPort: { configurable: true, get: localPort },
      localFamily: { configurable: true, get: localFamily },
    })
    function localAddress(this: NamedStream): string | undefined {
      return this.#local?.address
    }
    function localPort(this: NamedStream): number | undefined {
      return this.ends?.localPort
    }
    function localFamily(this: NamedStream): string | undefined {
      return this.#local?.family
    }
  }

  /** The own end; empty before the connection stands. The addresses of the last connection stay readable after it. */
  address(): AddressInfo | Record<string, never> {
    return this.#local ?? {}
  }

  get #local(): AddressInfo | undefined {
    return this.ends && addressInfo(this.ends.localAddress, this.ends.localPort)
  }

  get #remote(): AddressInfo | undefined {
    return this.ends && addressInfo(this.ends.remoteAddress, this.ends.remotePort)
  }

  get remoteAddress(): string | undefined {
    return this.#remote?.address
  }

  get remotePort(): number | undefined {
    return this.ends?.remotePort
  }

  get remoteFamily(): string | undefined {
    return this.#remote?.family
  }

  /** What a log should have of it: not its buffers, and nothing of the tunnel below. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { readyState, localAddress, localPort, remoteAddress, remotePort, bytesRead, bytesWritten } = this
    const shown = { readyState, localAddress, localPort, remoteAddress, remotePort, bytesRead, bytesWritten }
    return `TunnelSocket ${inspect(shown, options)}`
  }

  /** Not connected yet, or no longer. */
  get pending(): boolean {
    return this.connection === undefined
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening'
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** As in net, undefined before the connection stands, whatever the types say. */
  get bufferSize(): number {
    return this.pending ? (undefined as unknown as number) : this.writableLength
  }
}
