// UDP ASSOCIATE (RFC 1928, sections 6 and 7): a UDP port on the address that the client's connection came in by, for that client
// alone, as long as that connection lives and one side says something now and then. Names are resolved by whoever sends on.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import type { Socket } from 'node:net'
import { formatAddress, parseAddress, unmapAddress } from '../core/base/address.js'
import { addressOf, type ConnectionResult, sendAway } from './client.js'
import { ignore, type Target } from './dialer.js'
import { type ProxyContext, type RelayDatagrams, tellOver } from './service.js'
import { formatReply, replyCode } from './socks5.js'
import { formatDatagram, readDatagram } from './socks5-address.js'

export interface Associations {
  /** Answers a client that is paused and has a listener for 'error'; `source`: where it says that it will send from. */
  open(client: Socket, source: Target): void
}

export function createAssociations(context: ProxyContext): Associations {
  const { limits, counters, openDatagrams } = context
  let open = 0
  return {
    open(client, source) {
      const refuse = (code: 1 | 7) => {
        counters.refused++
        sendAway(client, formatReply(code), limits.lingerTimeout)
      }
      const here = plainAddress(client.localAddress)
      const there = plainAddress(client.remoteAddress)
      // A client of a unix socket has no address that the port could be bound to.
      if (openDatagrams === undefined || here === undefined || there === undefined) {
        refuse(replyCode.commandNotSupported)
        return
      }
      if (open >= limits.maxAssociations) {
        refuse(replyCode.generalFailure)
        return
      }
      open++
      counters.associations++
      new Association(context, openDatagrams, client, here, there, source, () => open--)
    },
  }
}

/** Without a zone, and an IPv4 address as one. */
function plainAddress(address: string | undefined): string | undefined {
  const bytes = parseAddress(address?.replace(/%.*$/, '') ?? '')
  return bytes && formatAddress(unmapAddress(bytes))
}

function unmapped(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '')
}

class Association {
  readonly #context: ProxyContext
  readonly #client: Socket
  /** The client's address, to compare with, and to send to, with its zone. */
  readonly #there: string
  readonly #peer: string
  readonly #near: UdpSocket
  readonly #openFar: () => RelayDatagrams
  readonly #timer: NodeJS.Timeout
  readonly #began = performance.now()
  readonly #over: () => void
  #far: RelayDatagrams | undefined
  /** The client's port, once it is known. */
  #port: number | undefined
  #isListening = false
  #isOver = false
  #sent = 0
  #received = 0

  constructor(
    context: ProxyContext,
    openFar: () => RelayDatagrams,
    client: Socket,
    here: string,
    there: string,
    source: Target,
    over: () => void,
  ) {
    this.#context = context
    this.#openFar = openFar
    this.#client = client
    this.#there = there
    this.#peer = unmapped(client.remoteAddress) ?? there
    this.#over = over
    // Some declare their target instead; then, as with zeros, the first that sends is the client.
    const isDeclared = source.port !== 0 && (/^[0:.]*$/.test(source.host) || plainAddress(source.host) === there)
    if (isDeclared) this.#port = source.port
    this.#timer = setTimeout(() => this.#end('done'), context.limits.associationTimeout).unref()
    this.#near = createSocket({ type: here.includes(':') ? 'udp6' : 'udp4' })
    this.#near.on('error', error => this.#fail(error))
    this.#near.on('message', (message, from) => this.#handleOwn(message, from))
    this.#near.bind({ port: 0, address: unmapped(client.localAddress) ?? here }, () => {
      if (this.#isOver) return
      this.#isListening = true
      client.write(formatReply(replyCode.succeeded, { host: here, port: this.#near.address().port }))
    })
    client.once('end', () => this.#end('done'))
    client.once('close', () => this.#end('done'))
    client.resume()
    if (client.destroyed) this.#end('gone')
  }

  #handleOwn(message: Buffer, from: { address: string; port: number }): void {
    const { counters, onError } = this.#context
    const isClient = (this.#port ?? from.port) === from.port && plainAddress(from.address) === this.#there
    const datagram = isClient ? readDatagram(message) : 'malformed'
    if (typeof datagram === 'string') {
      counters.datagramsRefused++
      return
    }
    this.#port = from.port
    const { target, data } = datagram
    this.#timer.refresh()
    const failed = (error: unknown) => {
      counters.datagramsDropped++
      onError?.(error, target)
    }
    try {
      this.#far ??= this.#listenFar()
      this.#far.send(data, target.port, target.host, error => {
        if (error !== null) {
          failed(error)
          return
        }
        counters.datagramsSent++
        this.#sent += data.length
      })
    } catch (error) {
      failed(error)
    }
  }

  #listenFar(): RelayDatagrams {
    const far = this.#openFar()
    // Of one datagram, and told to whoever sent it; the association goes on.
    far.on('error', ignore)
    far.on('message', (message, from) => this.#handleAnswer(message, from))
    return far
  }

  #handleAnswer(message: Uint8Array, from: { address: string; port: number }): void {
    const { counters, limits } = this.#context
    if (this.#isOver || this.#port === undefined) return
    this.#timer.refresh()
    if (this.#near.getSendQueueSize() > limits.datagramQueueBytes) {
      counters.datagramsDropped++
      return
    }
    const source = { host: plainAddress(from.address) ?? '', port: from.port }
    this.#near.send(formatDatagram(source, message), this.#port, this.#peer, error => {
      if (error) {
        counters.datagramsDropped++
        return
      }
      counters.datagramsReceived++
      this.#received += message.length
    })
  }

  /** It could not be bound, or cannot be used any more. */
  #fail(error: Error): void {
    if (this.#isOver) return
    if (this.#isListening) this.#client.destroy()
    else sendAway(this.#client, formatReply(replyCode.generalFailure), this.#context.limits.lingerTimeout)
    this.#end('failed', error)
  }

  #end(result: ConnectionResult, error?: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#near.close()
    this.#far?.close()
    if (error === undefined) this.#client.destroy()
    this.#over()
    const client = addressOf(this.#client)
    const known = { protocol: 'udp', way: 'socks5', ...(client && { client }), result } as const
    const traffic = { sent: this.#sent, received: this.#received, duration: performance.now() - this.#began }
    tellOver(this.#context, { ...known, ...traffic, ...(error !== undefined && { error }) })
  }
}
