// Binding the outer UDP sockets, one for IPv4 and one for IPv6 on the same port, so that others can be bound beside them.
import { createSocket, type Socket, type SocketType } from 'node:dgram'
import { once } from 'node:events'
import { TunnelError } from '../errors.js'

/** Asked of the kernel, which grants at most net.core.rmem_max: what arrives while the loop is busy waits there. */
export const socketBufferBytes = 4 * 1024 * 1024
/** A free port is drawn for IPv4 and may be taken for IPv6, or by another process a moment later. */
const portAttempts = 10

/**
 * Whether a connected socket beside the one that hears everybody gets its peer's datagrams. Linux looks for the best match among the
 * sockets of a port; elsewhere this is not known to hold.
 */
export const canShare = process.platform === 'linux'

export interface BindOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** Bind to this address alone instead of all of both families. */
  readonly host?: string
}

export interface Bound {
  readonly port: number
  readonly sockets: readonly Socket[]
}

/** Binds both sockets, IPv4 alone where IPv6 is missing. Rejects with UDP_BIND_FAILED. */
export async function bindBoth(options: BindOptions): Promise<Bound> {
  for (let attempt = 1; ; attempt++) {
    try {
      const bound = await tryBoth(options, false)
      if (!canShare) return bound
      // A port that allows company is never found to be in use, so that was seen without. Now again, allowing it.
      await Promise.all(bound.sockets.map(closeSocket))
      return await tryBoth({ ...options, port: bound.port }, true)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (options.port === 0 && code === 'EADDRINUSE' && attempt < portAttempts) continue
      throw bindFailed(options.port, cause as NodeJS.ErrnoException)
    }
  }
}

async function tryBoth({ port, host }: BindOptions, shared: boolean): Promise<Bound> {
  const sockets: Socket[] = []
  let boundPort = port
  try {
    for (const type of socketTypes(host)) {
      const socket = createUdpSocket(type, shared)
      try {
        const listening = once(socket, 'listening') // before bind(), which may be done at once
        socket.bind({ port: boundPort, ...(host !== undefined && { address: host }), exclusive: true })
        await listening
      } catch (error) {
        socket.close()
        if (host === undefined && familyMissing(error as NodeJS.ErrnoException)) continue
        throw error
      }
      sockets.push(socket)
      boundPort = socket.address().port
    }
    if (sockets.length === 0) throw new Error('this host has neither IPv4 nor IPv6')
    return { port: boundPort, sockets }
  } catch (error) {
    for (const socket of sockets) socket.close()
    throw error
  }
}

/** Not bound yet. `shared`: others may be bound to its port that say so, too. */
export function createUdpSocket(type: SocketType, shared: boolean): Socket {
  return createSocket({
    type,
    reuseAddr: shared,
    ipv6Only: type === 'udp6',
    recvBufferSize: socketBufferBytes,
    sendBufferSize: socketBufferBytes,
    // Every destination is an address already; a synchronous answer keeps Node from its resolver on each packet.
    lookup: (address, _options, callback) => callback(null, address, type === 'udp6' ? 6 : 4),
  })
}

/** Resolves when the kernel has let go of it, its port included. */
export async function closeSocket(socket: Socket): Promise<void> {
  const closed = once(socket, 'close')
  socket.close()
  await closed
}

function socketTypes(host: string | undefined): SocketType[] {
  if (host === undefined) return ['udp4', 'udp6']
  return [host.includes(':') ? 'udp6' : 'udp4']
}

function familyMissing(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL' || error.code === 'EPROTONOSUPPORT'
}

function bindFailed(port: number, cause: NodeJS.ErrnoException): TunnelError {
  const message =
    cause.code === 'EADDRINUSE'
      ? `UDP port ${port} is in use: stop the program that has it, or choose another ListenPort (0 takes a free one)`
      : cause.code === 'EACCES'
        ? `UDP port ${port} needs privileges here: choose a ListenPort above 1023 (0 takes a free one)`
        : `cannot open a UDP socket: ${cause.message}`
  return new TunnelError('UDP_BIND_FAILED', message, { cause })
}
