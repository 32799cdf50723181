// The load of the macro benchmark: connections through a contender, flows that last for a while, requests one after the other, and
// connections that do nothing.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Usage } from './child.js'
import type { Contender } from './contenders.js'
import { addresses, page, patternHash, pour, type Service, servicePorts } from './services.js'

/** Bytes each way that are compared before anything is timed. */
const checkedBytes = 1024 * 1024
const checkTimeout = 20_000
/** How long the bytes of a flow that is over may be on their way, ms. */
const settleTimeout = 10_000
/** Connections that are opened at a time. */
const atOnce = 50

export async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

/** A connection to a service through a SOCKS5 proxy (RFC 1928). */
export async function dialSocks(proxyPort: number, service: Service): Promise<Socket> {
  const socket = await dial(proxyPort)
  try {
    socket.write(Uint8Array.of(5, 1, 0))
    const [, method] = await readBytes(socket, 2)
    if (method !== 0) throw new Error('the proxy wants credentials')
    socket.write(Uint8Array.of(5, 1, 0, 1, ...addresses.far.split('.').map(Number), 0, servicePorts[service]))
    const [, reply] = await readBytes(socket, 10)
    if (reply !== 0) throw new Error(`the proxy refuses with ${reply}`)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function readBytes(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read(count)
    if (bytes !== null && bytes.length === count) return bytes
    if (socket.destroyed || socket.readableEnded) throw new Error('the connection ended')
    await Promise.race([once(socket, 'readable'), once(socket, 'close')])
  }
}

/** Whether what arrives is what was sent, both ways. Returns how many comparisons that were; throws at the first difference. */
export async function checkContender(contender: Contender): Promise<number> {
  const expected = patternHash(checkedBytes)
  const arrived = contender.farHash(checkedBytes)
  arrived.catch(() => {})
  await contender.farUsage() // it has heard of the hash
  const up = await contender.connect('sink')
  pour(up)
  const uploaded = await within(checkTimeout, arrived)
  up.destroy()
  if (uploaded !== expected) throw new Error('what arrived is not what was sent')
  const down = await contender.connect('source')
  const downloaded = await within(checkTimeout, hashOf(down, checkedBytes))
  down.destroy()
  if (downloaded !== expected) throw new Error('what was downloaded is not what was sent')
  return 2
}

async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  const late = sleep(milliseconds, undefined, { ref: false }).then(() => {
    throw new Error(`not all of it arrived within ${milliseconds / 1000} s`)
  })
  return Promise.race([promise, late])
}

async function hashOf(socket: Socket, count: number): Promise<string> {
  const hash = createHash('sha256')
  let left = count
  for await (const bytes of socket) {
    hash.update(bytes.subarray(0, left))
    left -= bytes.length
    if (left <= 0) break
  }
  return hash.digest('hex')
}

export interface Rate {
  readonly megabits: number
  /** CPU seconds of the near side for 10^9 bytes. */
  readonly cpu: number
}

export function rateOf(from: Usage, to: Usage, near: { from: Usage; to: Usage }): Rate {
  const bytes = to.bytes - from.bytes
  return {
    megabits: (bytes * 8) / 1e6 / (to.at - from.at),
    cpu: (near.to.cpu - near.from.cpu) / (bytes / 1e9),
  }
}

/** `flows` connections at once that do nothing but carry bytes, for `seconds` after the first `warmUp`. */
export async function measureFlows(
  contender: Contender,
  direction: 'up' | 'down',
  flows: number,
  { seconds, warmUp }: { seconds: number; warmUp: number },
): Promise<Rate> {
  const service = direction === 'up' ? 'sink' : 'source'
  const sockets = await Promise.all(Array.from({ length: flows }, () => contender.connect(service)))
  let downloaded = 0
  for (const socket of sockets) {
    if (direction === 'up') pour(socket)
    socket.on('data', bytes => {
      downloaded += bytes.length
    })
  }
  const look = async () => {
    const near = await contender.usage()
    return { near, far: direction === 'up' ? await contender.farUsage() : { ...near, bytes: downloaded } }
  }
  await sleep(warmUp * 1000)
  const from = await look()
  await sleep(seconds * 1000)
  const to = await look()
  // A reset: what is buffered anywhere is not worth waiting for.
  for (const socket of sockets) socket.resetAndDestroy()
  await settle(contender)
  return rateOf(from.far, to.far, { from: from.near, to: to.near })
}

/** Until what is still on its way has arrived: it is not the next one's. */
async function settle(contender: Contender): Promise<void> {
  const until = performance.now() + settleTimeout
  for (let before = -1; performance.now() < until; ) {
    const { bytes } = await contender.farUsage()
    if (bytes === before) return
    before = bytes
    await sleep(100)
  }
}

export interface Requests {
  readonly perSecond: number
  /** ms. */
  readonly p99: number
}

/** `count` times a connection, a request, its answer and the end, `concurrent` at once. */
export async function measureRequests(contender: Contender, count: number, concurrent: number): Promise<Requests> {
  const took: number[] = []
  let left = count
  const work = async () => {
    while (left-- > 0) {
      const began = performance.now()
      await request(contender)
      took.push(performance.now() - began)
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrent }, work))
  const seconds = (performance.now() - began) / 1000
  took.sort((a, b) => a - b)
  return { perSecond: count / seconds, p99: took[Math.floor(took.length * 0.99)] as number }
}

async function request(contender: Contender): Promise<void> {
  const socket = await contender.connect('web')
  try {
    socket.write('GET / HTTP/1.1\r\nHost: far\r\nConnection: close\r\n\r\n')
    let answer = ''
    for await (const bytes of socket) answer += bytes
    if (!answer.startsWith('HTTP/1.1 200 ') || !answer.endsWith(`\r\n\r\n${page}`))
      throw new Error(`the far side answered "${answer.slice(0, 80)}"`)
  } finally {
    socket.destroy()
  }
}

/** What each of `count` connections costs over which something went and nothing does now: bytes of the near side's RSS. */
export async function measureIdle(contender: Contender, count: number): Promise<number> {
  const sockets: Socket[] = []
  const open = async (more: number) => {
    for (let left = more; left > 0; left -= atOnce) {
      const some = await Promise.all(Array.from({ length: Math.min(left, atOnce) }, () => contender.connect('hold')))
      for (const socket of some) socket.write('idle')
      await Promise.all(some.map(socket => readBytes(socket, 4)))
      sockets.push(...some)
    }
  }
  try {
    await open(2 * atOnce) // code, pools
    await sleep(500)
    const before = await contender.usage()
    await open(count)
    await sleep(500)
    const after = await contender.usage()
    return (after.rss - before.rss) / count
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}
