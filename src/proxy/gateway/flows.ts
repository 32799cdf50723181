// UDP through the gateway: each flow of a peer's has a socket of its own on this host's network, connected to its target, so that
// only the target is heard. It ends when the stack has seen nothing of it for a while.
import { createSocket, type Socket } from 'node:dgram'
import type { DatagramFlow, ForwardedDatagrams } from '../../node/forwarder.js'
import type { ConnectionResult } from '../client.js'
import { dialFailure } from '../dialer.js'
import type { GatewayOptions } from './options.js'
import { deniedError, refusalFor } from './refusals.js'
import { Shares } from './shares.js'

/** Bytes that may wait for the kernel to take them; what comes meanwhile is dropped, as a router does. */
const longestQueue = 256 * 1024

export class GatewayFlows {
  readonly #options: GatewayOptions
  readonly #shares: Shares
  readonly #most: number
  readonly #open = new Set<() => void>()

  constructor(options: GatewayOptions, flowsPerPeer: number) {
    this.#options = options
    this.#most = flowsPerPeer
    this.#shares = new Shares(flowsPerPeer)
  }

  get size(): number {
    return this.#shares.total
  }

  handle(request: ForwardedDatagrams): void {
    const { localAddress, localPort, peer } = request
    const meant = { host: localAddress, port: localPort }
    const client = { host: request.remoteAddress, port: request.remotePort }
    const traffic = { sent: 0, received: 0 }
    const began = performance.now()
    const tell = (result: ConnectionResult, error?: unknown) => {
      if (result !== 'done') this.#options.onError?.(error, meant)
      const duration = performance.now() - began
      const known = {
        way: 'serve',
        protocol: 'udp',
        peer,
        client,
        target: meant,
        result,
        ...traffic,
        duration,
      } as const
      this.#options.onConnection?.({ ...known, ...(error !== undefined && { error }) })
    }
    const verdict = this.#options.target(localAddress)
    if ('denied' in verdict || localPort === 0) {
      request.refuse('prohibited')
      tell('denied', deniedError(meant, 'denied' in verdict ? verdict.denied : 'there is no port 0'))
      return
    }
    const key = peer?.publicKey ?? ''
    if (!this.#shares.take(key)) {
      request.refuse('drop')
      tell('denied', deniedError(meant, `the peer has ${this.#most} UDP flows already`))
      return
    }

    const socket = createSocket(verdict.host.includes(':') ? 'udp6' : 'udp4')
    let flow: DatagramFlow | undefined
    let isOver = false
    const end = (result: ConnectionResult, error?: unknown) => {
      if (isOver) return
      isOver = true
      this.#open.delete(cut)
      this.#shares.give(key)
      socket.close()
      tell(result, error)
    }
    const fail = (error: Error) => {
      if (isOver) return
      const refusal = refusalFor(error)
      if (flow === undefined) request.refuse(refusal)
      else flow.refuse(refusal)
      end(dialFailure(error), error)
    }
    const cut = () => {
      flow?.close()
      end('done')
    }
    this.#open.add(cut)
    request.signal.addEventListener('abort', () => end('done'))
    socket.on('error', fail)
    socket.on('message', message => {
      traffic.received += message.length
      flow?.send(message)
    })
    connect(socket, verdict.host, localPort, error => {
      if (isOver) return
      if (error) {
        fail(error)
        return
      }
      flow = request.accept({
        message(bytes) {
          if (isOver || socket.getSendQueueSize() > longestQueue) return
          traffic.sent += bytes.length
          socket.send(bytes, sendError => {
            // Too large for the path is this datagram's trouble, and a router's silence would be the same.
            if (sendError && (sendError as NodeJS.ErrnoException).code !== 'EMSGSIZE') fail(sendError)
          })
        },
        error: () => {},
        closed: () => end('done'),
      })
      if (flow === undefined) end('done')
    })
  }

  close(): void {
    for (const cut of [...this.#open]) cut()
  }
}

function connect(socket: Socket, host: string, port: number, done: (error?: Error) => void): void {
  try {
    socket.connect(port, host, done as () => void)
  } catch (error) {
    done(error as Error)
  }
}
