// The same small world twice: Node's own net on loopback, and the tunnel's sockets. What a test says of one, it says of both.
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { TunnelServer, type TunnelServerOptions } from '../../src/node/server.js'
import { TunnelSocket } from '../../src/node/socket.js'
import type { StackPort } from '../../src/node/stack-port.js'
import { createFakeNetwork } from './sockets.js'
import { createStackPair } from './stacks.js'

/** What net.Socket and TunnelSocket have in common, as far as the tests use it. */
export type AnySocket = Duplex &
  Pick<
    net.Socket,
    | 'address'
    | 'bufferSize'
    | 'bytesRead'
    | 'bytesWritten'
    | 'connecting'
    | 'destroySoon'
    | 'localAddress'
    | 'localPort'
    | 'pending'
    | 'readyState'
    | 'remoteAddress'
    | 'remotePort'
  > & {
    readonly localFamily?: string | undefined
    readonly remoteFamily?: string | undefined
    timeout?: number | undefined
    connect(options: { host: string; port: number }, listener?: () => void): unknown
    ref(): unknown
    resetAndDestroy(): unknown
    setKeepAlive(on?: boolean, delay?: number): unknown
    setNoDelay(on?: boolean): unknown
    setTimeout(ms: number, listener?: () => void): unknown
    unref(): unknown
  }

export type AnyServer = Pick<net.Server, 'maxConnections' | 'listening' | 'on' | 'once'> & {
  address(): unknown
  close(callback?: (error?: Error) => void): unknown
  getConnections(callback: (error: Error | null, count: number) => void): unknown
  listen(options: { port?: number; host?: string; signal?: AbortSignal }, callback?: () => void): AnyServer
  ref(): unknown
  unref(): unknown
}

export interface SocketRig {
  readonly name: string
  /** Where servers listen. */
  readonly host: string
  /** A socket that is not connected. */
  socket(options?: { allowHalfOpen?: boolean; signal?: AbortSignal; highWaterMark?: number }): AnySocket
  server(options?: TunnelServerOptions, listener?: (socket: AnySocket) => void): AnyServer
}

export function nodeRig(): SocketRig {
  return {
    name: 'node:net',
    host: '127.0.0.1',
    socket: options => new net.Socket(options) as AnySocket,
    server: (options, listener) =>
      net.createServer(
        { ...(options as net.ServerOpts) },
        listener as (socket: net.Socket) => void,
      ) as unknown as AnyServer,
  }
}

/** The tunnel's sockets over a fake of the stack, which does at once what it is asked. */
export function tunnelRig(): SocketRig {
  return rigOver('the tunnel', createFakeNetwork())
}

/** The tunnel's sockets over its own TCP. */
export function stackRig(): SocketRig {
  return rigOver("the tunnel's own TCP", createStackPair())
}

function rigOver(name: string, { client, server: far }: { client: StackPort; server: StackPort }): SocketRig {
  return {
    name,
    host: '10.7.0.1',
    socket: options => new TunnelSocket(client, options) as AnySocket,
    server: (options, listener) =>
      new TunnelServer(far, options, listener as (socket: TunnelSocket) => void) as unknown as AnyServer,
  }
}
