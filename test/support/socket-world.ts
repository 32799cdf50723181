// What the contract of sockets is asserted in: a server and sockets of one kind, cleaned up after each test.
import { once } from 'node:events'
import { afterEach, beforeEach } from 'vitest'
import type { AnyServer, AnySocket, SocketRig } from './socket-rigs.js'

type SocketOptions = Parameters<SocketRig['socket']>[0]
type ServerOptions = Parameters<SocketRig['server']>[0]

export interface SocketWorld {
  readonly rig: SocketRig
  readonly server: AnyServer
  readonly port: number
  /** A server, from now on the one that is dialled. */
  listen(listener?: (socket: AnySocket) => void, options?: ServerOptions): Promise<void>
  /** A socket that is not connected. */
  socket(options?: SocketOptions): AnySocket
  dial(options?: SocketOptions, listener?: () => void): AnySocket
  /** A connected pair. Only the far one has a listener, for 'error'. */
  pair(options?: SocketOptions, serverOptions?: ServerOptions): Promise<[AnySocket, AnySocket]>
}

export function useSocketWorld(makeRig: () => SocketRig): SocketWorld {
  let rig: SocketRig
  let server: AnyServer | undefined
  let port = 0
  const sockets: AnySocket[] = []

  beforeEach(() => {
    rig = makeRig()
    server = undefined
  })

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    if (server?.listening) await new Promise(resolve => server?.close(resolve))
  })

  function adopt(socket: AnySocket): AnySocket {
    sockets.push(socket)
    socket.once('close', () => gone.add(socket))
    return socket
  }

  const world: SocketWorld = {
    get rig() {
      return rig
    },
    get server() {
      return server as AnyServer
    },
    get port() {
      return port
    },
    async listen(listener = () => {}, options = {}) {
      server = rig.server(options, socket => {
        adopt(socket).on('error', () => {})
        listener(socket)
      })
      await new Promise<void>(resolve => world.server.listen({ port: 0, host: rig.host }, resolve))
      port = (world.server.address() as { port: number }).port
    },
    socket: options => adopt(rig.socket(options)),
    dial(options, listener) {
      const socket = world.socket(options)
      socket.connect({ host: rig.host, port: world.port }, listener)
      return socket
    },
    async pair(options, serverOptions) {
      const far = withResolvers<AnySocket>()
      await world.listen(far.resolve, serverOptions)
      const near = world.dial(options)
      await once(near, 'connect')
      return [near, await far.promise]
    },
  }
  return world
}

/** The names of `events`, in the order they come. */
export function record(socket: AnySocket, events: string[]): string[] {
  const seen: string[] = []
  for (const event of events) socket.on(event, () => seen.push(event))
  return seen
}

/** What happens to a socket, in order: events with what they say, the code of an error. */
export function story(socket: AnySocket): string[] {
  const told: string[] = []
  for (const event of ['connect', 'ready', 'end', 'prefinish', 'finish', 'timeout']) {
    socket.on(event, () => told.push(event))
  }
  socket.on('error', error => told.push(`error ${(error as NodeJS.ErrnoException).code ?? error.message}`))
  socket.on('close', (...words) => told.push(['close', ...words].join(' ')))
  return told
}

/** Sockets that have emitted 'close'; their property `closed` is true a little earlier. */
const gone = new WeakSet<AnySocket>()

export async function closed(socket: AnySocket): Promise<void> {
  // Not by once(), which an 'error' rejects.
  if (!gone.has(socket)) await new Promise(resolve => socket.once('close', resolve))
}

export async function buffer(socket: AnySocket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function text(socket: AnySocket): Promise<string> {
  return (await buffer(socket)).toString()
}

/** Lets the event loop turn: what can happen without time has happened. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
}

export function withResolvers<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>(yes => {
    resolve = yes
  })
  return { promise, resolve }
}
