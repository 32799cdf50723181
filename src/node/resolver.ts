// The resolver's sockets: each query leaves from a UDP socket of its own in the tunnel, connected to its server, or over a
// connection of its own (RFC 7766 without reuse).
import { AsyncResource } from 'node:async_hooks'
import { formatAddress, type IpAddress } from '../core/base/address.js'
import {
  type DnsCounters,
  type DnsLimits,
  type DnsSettings,
  type LookupFailure,
  Resolver,
} from '../core/resolver/resolver.js'
import { random } from './crypto/random.js'
import { TunnelSocket } from './socket.js'
import { localCode } from './socket-error.js'
import type { NameListener, StackPort } from './stack-port.js'

const dnsPort = 53
/** The length before each message on a connection (RFC 1035, section 4.2.2). */
const frameLength = 2
/** setTimeout's longest delay, ms. */
const longestTimeout = 2 ** 31 - 1

export interface TunnelResolverOptions {
  readonly settings: DnsSettings
  readonly limits?: Partial<DnsLimits> | undefined
  readonly stackPort: StackPort
  /** What a lookup that found nothing is to be told as. */
  readonly explain: (name: string, family: 0 | 4 | 6, failure: LookupFailure) => Error
}

export class TunnelResolver {
  readonly #core: Resolver
  readonly #stackPort: StackPort
  readonly #explain: TunnelResolverOptions['explain']
  /** What ends the socket of an exchange. */
  readonly #exchanges = new Map<number, () => void>()
  readonly #lookups = new Set<(error: Error) => void>()
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #closed: Error | undefined

  constructor(options: TunnelResolverOptions) {
    this.#stackPort = options.stackPort
    this.#explain = options.explain
    this.#core = new Resolver({
      settings: options.settings,
      limits: options.limits,
      random,
      sink: {
        sendUdp: (exchange, server, message) => this.#sendUdp(exchange, server, message),
        sendTcp: (exchange, server, message) => this.#sendTcp(exchange, server, message),
        endExchange: exchange => {
          this.#exchanges.get(exchange)?.()
          this.#exchanges.delete(exchange)
        },
      },
    })
  }

  get counters(): Readonly<DnsCounters> {
    return this.#core.counters
  }

  /** Other servers and search domains from now on. */
  setSettings(settings: DnsSettings): void {
    this.#core.setSettings(settings)
  }

  /** Why this is no name that can be asked for. */
  problemOf(name: string): string | undefined {
    return this.#core.problemOf(name)
  }

  /** The servers that would be asked for it. */
  serversOf(name: string): IpAddress[] {
    return this.#core.serversOf(name)
  }

  /** See {@link StackPort.resolve}. */
  resolve(name: string, options: { family: 0 | 4 | 6; timeout?: number }, listener: NameListener): () => void {
    let over = false
    const resource = new AsyncResource('TUNNELLOOKUP', { requireManualDestroy: true })
    // Told in the context of the caller, and not in the middle of a turn of the stack.
    const tell = (action: () => void) => {
      process.nextTick(() => {
        if (!over) resource.runInAsyncScope(action)
      })
    }
    const end = (error: Error | undefined) => {
      this.#lookups.delete(end)
      tell(() => {
        finish()
        listener.handleEnd(error)
      })
    }
    const finish = () => {
      if (over) return
      over = true
      this.#lookups.delete(end)
      resource.emitDestroy()
    }
    if (this.#closed !== undefined) {
      end(this.#closed)
      return finish
    }
    this.#lookups.add(end)
    const { cancel } = this.#core.lookup(
      name,
      options,
      {
        addresses: (family, addresses) => tell(() => listener.handleAddresses(family, addresses)),
        end: failure => end(failure && this.#explain(name, options.family, failure)),
      },
      this.#stackPort.now(),
    )
    this.#arm()
    return () => {
      finish()
      cancel()
      this.#arm()
    }
  }

  #sendUdp(exchange: number, server: IpAddress, message: Uint8Array): string | undefined {
    const { stack, now, changed } = this.#stackPort
    try {
      const socket = stack.bindUdp(
        { port: 0 },
        {
          message: bytes => this.#feed(() => this.#core.handleMessage(exchange, bytes, now())),
          error: code => this.#feed(() => this.#core.handleFailure(exchange, code, now())),
        },
      )
      this.#exchanges.set(exchange, () => socket.close())
      socket.connect(server, dnsPort)
      // Where the queue is full the query is as good as lost, and sent again.
      socket.send(message, server, dnsPort, now())
      changed()
      return undefined
    } catch (error) {
      return localCode(error)
    }
  }

  #sendTcp(exchange: number, server: IpAddress, message: Uint8Array): string | undefined {
    const { now } = this.#stackPort
    const socket = new TunnelSocket(this.#stackPort).unref()
    socket.connect({ host: formatAddress(server), port: dnsPort })
    const chunks: Buffer[] = []
    let length = 0
    let due = 0
    const fail = (code: string) => this.#feed(() => this.#core.handleFailure(exchange, code, now()))
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'EIO'))
    socket.on('close', () => fail('ECONNRESET'))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length < Math.max(due, frameLength)) return
      const received = Buffer.concat(chunks.splice(0))
      chunks.push(received)
      due = frameLength + received.readUInt16BE()
      if (length >= due)
        this.#feed(() => this.#core.handleMessage(exchange, received.subarray(frameLength, due), now()))
    })
    this.#exchanges.set(exchange, () => socket.destroy())
    const frame = Buffer.alloc(frameLength)
    frame.writeUInt16BE(message.length)
    // Not ended: there are servers that take an end for having left.
    socket.write(Buffer.concat([frame, message]))
    return undefined
  }

  #feed(input: () => void): void {
    input()
    this.#arm()
    this.#stackPort.changed()
  }

  #arm(): void {
    const deadline = this.#core.nextDeadline()
    if (deadline === this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = deadline
    if (deadline === Number.POSITIVE_INFINITY) return
    const delay = Math.max(0, Math.ceil(deadline - this.#stackPort.now()))
    this.#timer = setTimeout(() => this.#fire(), Math.min(delay, longestTimeout)).unref()
  }

  #fire(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#feed(() => this.#core.handleTimeout(this.#stackPort.now()))
  }

  /** Ends every lookup with `reason`, now and from now on. */
  close(reason: Error): void {
    this.#closed = reason
    clearTimeout(this.#timer)
    for (const end of [...this.#lookups]) end(reason)
    for (const end of [...this.#exchanges.values()]) end()
    this.#exchanges.clear()
  }
}
