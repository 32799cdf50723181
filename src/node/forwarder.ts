// Answers for whole prefixes in a Node program: each connection, UDP flow and echo that a peer asks of an address in them is
// handed to a handler, and nothing is said to the peer before that has decided.
import { formatAddress, parsePrefix } from '../core/base/address.js'
import type {
  ForwardedDial,
  ForwardedEcho,
  ForwardedFlow,
  Forwarder,
  ForwardRefusal,
  SocketCode,
  Stack,
  UdpFlow,
} from '../core/netstack/stack.js'
import { TunnelError } from '../errors.js'
import { TunnelSocket, type TunnelSocketOptions } from './socket.js'
import { ConnectionEvents } from './socket-events.js'
import type { StackPort } from './stack-port.js'

export type { ForwardRefusal } from '../core/netstack/stack.js'

/** Which peer asks. */
export interface ForwardPeer {
  readonly name?: string
  /** Base64. */
  readonly publicKey: string
}

interface Request {
  /** Whom the peer means. */
  readonly localAddress: string
  readonly remoteAddress: string
  /** Undefined if it is gone by now. */
  readonly peer: ForwardPeer | undefined
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** `refused` by RST or port unreachable; `drop` says nothing. Does nothing once it is answered. */
  refuse(refusal: ForwardRefusal): void
}

/** A SYN that is not answered yet. */
export interface ForwardedConnection extends Request {
  readonly localPort: number
  readonly remotePort: number
  /** Answers it. Resolves with the socket, paused, once the peer has answered that; rejects if it does not. */
  accept(options?: TunnelSocketOptions): Promise<TunnelSocket>
}

/** The first datagram of a flow. */
export interface ForwardedDatagrams extends Request {
  readonly localPort: number
  readonly remotePort: number
  /** Undefined if nobody waits any more. */
  accept(events: DatagramFlowEvents): DatagramFlow | undefined
}

export interface DatagramFlowEvents {
  /** The bytes are the receiver's own. */
  message(bytes: Uint8Array): void
  /** ICMP says that what was sent to the peer does not arrive. */
  error(code: SocketCode): void
  /** It was idle for too long, or the forwarder was closed. Not after close() or refuse(). */
  closed(): void
}

export interface DatagramFlow {
  /** To the peer, from the address it means; false if there is no room. */
  send(bytes: Uint8Array): boolean
  /** Says so to the peer, and closes: the target turned out to refuse. */
  refuse(refusal: ForwardRefusal): void
  close(): void
}

export interface ForwardedPing extends Request {
  /** Bytes of payload. */
  readonly size: number
  /** Sends the echo's data back. */
  answer(): void
}

/** What has no handler is dropped. What a handler throws is an uncaught exception. */
export interface ForwarderHandlers {
  tcp?(connection: ForwardedConnection): void
  udp?(flow: ForwardedDatagrams): void
  ping?(echo: ForwardedPing): void
}

export interface ForwarderOptions {
  /** `10.0.0.0/8`, `2001:db8::/32`, an address; where several cover an address, the longest counts. */
  readonly prefixes: readonly string[]
}

export interface TunnelForwarder {
  /** What waits is dropped and flows end; connections stay. */
  close(): void
}

export interface ForwarderPort {
  readonly port: StackPort
  readonly stack: Pick<Stack, 'forward'>
  peerOf(path: number): ForwardPeer | undefined
}

/** Throws USAGE for a prefix that is none. */
export function openForwarder(
  host: ForwarderPort,
  { prefixes }: ForwarderOptions,
  handlers: ForwarderHandlers,
): TunnelForwarder {
  const { port } = host
  const { tcp, udp, ping } = handlers
  const forwarder: Forwarder = host.stack.forward(
    { prefixes: prefixes.map(readPrefix) },
    {
      ...(tcp && { tcp: request => outside(() => tcp(new Connection(host, request))) }),
      ...(udp && { udp: request => outside(() => udp(new Datagrams(host, request))) }),
      ...(ping && { echo: request => outside(() => ping(new Ping(host, request))) }),
    },
  )
  let isOpen = true
  port.addRef()
  return {
    close() {
      if (!isOpen) return
      isOpen = false
      forwarder.close()
      port.release()
      port.changed()
    },
  }
}

function readPrefix(text: string) {
  const prefix = parsePrefix(text)
  if (prefix !== undefined) return prefix
  throw new TunnelError('USAGE', `prefixes: ${JSON.stringify(text)} is no address range: write one as 10.0.0.0/8`)
}

/** What a handler throws must not unwind the stack in the middle of a turn. */
function outside(action: () => void): void {
  try {
    action()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}

abstract class Asked<T extends ForwardedDial | ForwardedFlow | ForwardedEcho> implements Request {
  protected readonly host: ForwarderPort
  protected readonly request: T
  readonly #gone = new AbortController()

  constructor(host: ForwarderPort, request: T) {
    this.host = host
    this.request = request
    request.abandoned = () => outside(() => this.#gone.abort(new Error('the peer waits no longer')))
  }

  get localAddress(): string {
    return formatAddress(this.request.localAddress)
  }

  get remoteAddress(): string {
    return formatAddress(this.request.remoteAddress)
  }

  get peer(): ForwardPeer | undefined {
    return this.host.peerOf(this.request.path)
  }

  get signal(): AbortSignal {
    return this.#gone.signal
  }

  refuse(refusal: ForwardRefusal): void {
    const { port } = this.host
    this.request.refuse(refusal, port.now())
    port.changed()
  }
}

class Connection extends Asked<ForwardedDial> implements ForwardedConnection {
  get localPort(): number {
    return this.request.localPort
  }

  get remotePort(): number {
    return this.request.remotePort
  }

  accept(options: TunnelSocketOptions = {}): Promise<TunnelSocket> {
    const { signal } = this
    const { port } = this.host
    return new Promise((resolve, reject) => {
      const gone = () => reject(signal.reason ?? new Error('it was answered before'))
      signal.addEventListener('abort', gone)
      const waits = this.request.accept(connection => {
        signal.removeEventListener('abort', gone)
        const events = new ConnectionEvents()
        events.run(() => {
          const accepted = { ...options, pause: true }
          const socket = TunnelSocket.accepted(port, connection, events, { handleSocketGone() {} }, accepted)
          // An error before the caller can listen is found as `errored`.
          socket.on('error', ignore)
          resolve(socket)
        })
        return events
      }, port.now())
      if (!waits) gone()
      port.changed()
    })
  }
}

function ignore(): void {}

class Datagrams extends Asked<ForwardedFlow> implements ForwardedDatagrams {
  get localPort(): number {
    return this.request.localPort
  }

  get remotePort(): number {
    return this.request.remotePort
  }

  accept(events: DatagramFlowEvents): DatagramFlow | undefined {
    const { port } = this.host
    const flow: UdpFlow | undefined = this.request.accept(
      {
        message: bytes => outside(() => events.message(bytes)),
        error: code => outside(() => events.error(code)),
        closed: () => outside(() => events.closed()),
      },
      port.now(),
    )
    port.changed()
    if (flow === undefined) return undefined
    return {
      send(bytes) {
        const isSent = flow.send(bytes, port.now())
        port.changed()
        return isSent
      },
      refuse(refusal) {
        flow.refuse(refusal, port.now())
        port.changed()
      },
      close() {
        flow.close()
        port.changed()
      },
    }
  }
}

class Ping extends Asked<ForwardedEcho> implements ForwardedPing {
  get size(): number {
    return this.request.bytes.length
  }

  answer(): void {
    const { port } = this.host
    this.request.answer(port.now())
    port.changed()
  }
}
