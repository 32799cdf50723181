// A local UDP port that leads to one target: `-L …/udp`. Each client, an address with its port, has a socket of its own towards the
// target, so that answers find back; it ends when nothing has passed for a while, or when newer clients need its place.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { ConnectionRecord } from './client.js'
import { dialFailure, type Target } from './dialer.js'
import { type LocalAddress, listenError } from './listener.js'
import type { RelayDatagrams } from './service.js'

/** A UDP socket that can be connected to a target: dgram.Socket and DatagramSocket both are. */
export interface ConnectedDatagrams extends Omit<RelayDatagrams, 'send'> {
  connect(port: number, host: string, callback: (error?: Error) => void): unknown
  send(message: Uint8Array, callback: (error: Error | null) => void): void
}

export interface DatagramForwardLimits {
  /** Clients at a time; the one that has been silent the longest makes room for another. */
  readonly maxConnections: number
  /** How long one may be silent in both directions, ms. */
  readonly idleTimeout: number
  /** Datagrams of a client that wait for the target's name to be resolved; more are dropped. */
  readonly maxWaiting: number
  /** Bytes that may wait for the host's UDP to take them; what comes meanwhile is dropped. */
  readonly queueBytes: number
}

export const defaultDatagramForwardLimits: DatagramForwardLimits = {
  maxConnections: 1024,
  // RFC 4787, REQ-5: two minutes at least.
  idleTimeout: 120_000,
  maxWaiting: 16,
  queueBytes: 256 * 1024,
}

export interface DatagramForwardOptions {
  readonly at: LocalAddress
  readonly target: Target
  readonly openDatagrams: () => ConnectedDatagrams
  readonly limits?: Partial<DatagramForwardLimits>
  /** The target cannot be sent to, or says that nobody listens. */
  readonly onError?: (error: unknown, target: Target) => void
  /** A client's time is over. */
  readonly onConnection?: (record: ConnectionRecord) => void
}

export interface DatagramForward {
  /** As bound. */
  readonly address: LocalAddress
  /** Clients now. */
  readonly connections: number
  close(): Promise<void>
}

interface Client {
  readonly far: ConnectedDatagrams
  readonly timer: NodeJS.Timeout
  readonly from: LocalAddress
  readonly began: number
  sent: number
  received: number
  /** Until the far socket is connected. */
  waiting: Uint8Array[] | undefined
}

/** Rejects with LISTEN_FAILED. */
export async function startDatagramForward(options: DatagramForwardOptions): Promise<DatagramForward> {
  const { at, target, openDatagrams, onError, onConnection } = options
  const limits = { ...defaultDatagramForwardLimits, ...options.limits }
  /** The longest silent one first. */
  const clients = new Map<string, Client>()
  const near = createSocket({ type: at.host.includes(':') ? 'udp6' : 'udp4' })
  await bind(near, at)
  // Such errors are of one datagram; the port stays.
  near.on('error', () => {})
  near.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`
    let client = clients.get(key)
    if (client === undefined) {
      if (clients.size >= limits.maxConnections) drop(clients.keys().next().value as string)
      client = admit(key, from)
      if (client === undefined) return
    } else {
      clients.delete(key)
    }
    clients.set(key, client)
    client.timer.refresh()
    client.sent += message.length
    if (client.waiting === undefined) client.far.send(message, error => error && onError?.(error, target))
    else if (client.waiting.length < limits.maxWaiting) client.waiting.push(message)
  })

  function admit(key: string, from: { address: string; port: number }): Client | undefined {
    try {
      const far = openDatagrams()
      const timer = setTimeout(() => drop(key), limits.idleTimeout).unref()
      const began = performance.now()
      const address = { host: from.address, port: from.port }
      const client: Client = { far, timer, from: address, began, sent: 0, received: 0, waiting: [] }
      far.on('error', error => onError?.(error, target))
      far.on('message', message => {
        timer.refresh()
        if (clients.get(key) !== client || near.getSendQueueSize() > limits.queueBytes) return
        client.received += message.length
        near.send(message, from.port, from.address, () => {})
      })
      far.connect(target.port, target.host, error => {
        if (clients.get(key) !== client) return
        const { waiting = [] } = client
        client.waiting = undefined
        if (error === undefined || error === null) {
          for (const message of waiting) far.send(message, failed => failed && onError?.(failed, target))
          return
        }
        // The client's next datagram is another attempt.
        drop(key, error)
        onError?.(error, target)
      })
      return client
    } catch (error) {
      onError?.(error, target)
      return undefined
    }
  }

  function drop(key: string, error?: Error): void {
    const client = clients.get(key)
    if (client === undefined) return
    clients.delete(key)
    clearTimeout(client.timer)
    client.far.close()
    const { sent, received, began } = client
    const result = error === undefined ? 'done' : dialFailure(error)
    const known = { protocol: 'udp', way: 'forward', client: client.from, target, result } as const
    const duration = performance.now() - began
    onConnection?.({ ...known, sent, received, duration, ...(error !== undefined && { error }) })
  }

  const { address: host, port } = near.address()
  return {
    address: { host, port },
    get connections() {
      return clients.size
    },
    async close() {
      for (const key of [...clients.keys()]) drop(key)
      const closed = once(near, 'close')
      near.close()
      await closed
    },
  }
}

async function bind(socket: Socket, { host, port }: LocalAddress): Promise<void> {
  try {
    socket.bind({ address: host, port, exclusive: true })
    await once(socket, 'listening')
  } catch (error) {
    socket.close()
    throw listenError(error as NodeJS.ErrnoException, host, port)
  }
}
