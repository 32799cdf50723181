// Real sockets on loopback for the ways in: servers that a dialer can reach, and a SOCKS5 client that says just what it is told.
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import type { DialSignal } from '../../src/proxy/departure.js'
import { createDialer, type Dialer, type Target } from '../../src/proxy/dialer.js'

const cleanups: (() => unknown)[] = []

/** For afterEach: ends all that was opened here. */
export async function cleanUp(): Promise<void> {
  for (const clean of cleanups.splice(0).reverse()) await clean()
}

/** Runs at {@link cleanUp}. */
export function later(clean: () => unknown): void {
  cleanups.push(clean)
}

export interface TestTarget {
  readonly port: number
  /** The next connection it accepts. */
  accepted(): Promise<Socket>
}

/** A server that half-open clients may talk to. */
export async function startTarget(listener: (socket: Socket) => void = () => {}): Promise<TestTarget> {
  const waiting: ((socket: Socket) => void)[] = []
  const ready: Socket[] = []
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    later(() => socket.destroy())
    socket.on('error', () => {})
    listener(socket)
    const waiter = waiting.shift()
    if (waiter === undefined) ready.push(socket)
    else waiter(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => server.close())
  return {
    port: (server.address() as net.AddressInfo).port,
    accepted: () => {
      const socket = ready.shift()
      return socket === undefined ? new Promise(resolve => waiting.push(resolve)) : Promise.resolve(socket)
    },
  }
}

/** Dials the port on loopback whatever the host is called, and notes the targets it was asked for. */
export function loopbackDialer(): Dialer & { targets: Target[] } {
  const targets: Target[] = []
  const dial = createDialer(({ port, allowHalfOpen }) => net.connect({ host: '127.0.0.1', port, allowHalfOpen }))
  return Object.assign(
    (target: Target, signal: DialSignal) => {
      targets.push(target)
      return dial(target, signal)
    },
    { targets },
  )
}

export async function connectTo(port: number): Promise<Socket> {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  later(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** The next `length` bytes. Rejects if the end, or an error, comes first. */
export async function readBytes(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(length) as Buffer | null
    if (bytes !== null && bytes.length === length) return bytes
    if (bytes !== null) socket.unshift(bytes)
    if (socket.readableEnded || socket.destroyed) throw new Error(`ended before ${length} bytes`)
    await Promise.race([once(socket, 'readable'), once(socket, 'end').then(() => {}), once(socket, 'close')])
  }
}

/** Everything up to the end, whether or not an error follows. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** How a connection ends: 'end', or the error's code. */
export function ending(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    socket.once('end', () => resolve('end'))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    socket.resume()
  })
}

export const greeting = Uint8Array.of(5, 1, 0)

/** A CONNECT by name. */
export function connectRequest({ host, port }: Target, command = 1): Uint8Array {
  const name = Buffer.from(host)
  return Buffer.concat([Uint8Array.of(5, command, 0, 3, name.length), name, Uint8Array.of(port >> 8, port & 255)])
}

/** Asks a SOCKS5 server for a connection and gives the socket once it stands; rejects with the reply code otherwise. */
export async function socksConnect(serverPort: number, target: Target): Promise<Socket> {
  const socket = await connectTo(serverPort)
  socket.write(greeting)
  await readBytes(socket, 2)
  socket.write(connectRequest(target))
  const [, code] = await readBytes(socket, 10)
  if (code !== 0) throw Object.assign(new Error(`SOCKS reply ${code}`), { reply: code })
  return socket
}

/** Lets the event loop turn until nothing happens without time. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}
