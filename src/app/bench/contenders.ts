// Who takes part in the macro benchmark: each is a process with local ports, a far side in another, and the means to ask both what
// they used.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeKey } from '../../core/base/base64.js'
import { newPrivateKey } from '../keys.js'
import { publicKeyOf } from '../public-key.js'
import { Child, type Usage } from './child.js'
import type { ClientOrder } from './client.js'
import type { FarOrder } from './far.js'
import type { FloorOrder } from './floor-far.js'
import type { NearStarted } from './floor-near.js'
import { dial, dialSocks } from './load.js'
import { addresses, type Service } from './services.js'

export interface Contender {
  readonly name: string
  /** A connection to a service of the far side. */
  connect(service: Service): Promise<Socket>
  /** Of the near side; `cpu` is NaN where that cannot be known. */
  usage(): Promise<Usage>
  /** Of the far side: `bytes` are what arrived there. */
  farUsage(): Promise<Usage>
  /** SHA-256 of the next bytes that arrive there. */
  farHash(count: number): Promise<string>
  stop(): Promise<void>
}

/** The near and the far end of the floor. */
export interface Floor extends Contender {
  /** Bare datagrams from now on, in that direction. */
  pump(direction: 'up' | 'down'): Promise<void>
  stopPump(): Promise<void>
}

/** A tunnel's two ends, in the words of wg-quick. */
export interface Ends {
  readonly far: string
  /** The near end's, once the far one's port is known. */
  near(port: number): string
  readonly keys: { readonly near: string; readonly nearPublic: string; readonly farPublic: string }
}

const readyTimeout = 10_000
const polling = 10

export async function startFloor(): Promise<Floor> {
  const key = randomBytes(32).toString('base64')
  const [near, { udp, sink, source }] = await Child.start<NearStarted>(new URL('./floor-near.js', import.meta.url), {
    key,
  })
  const order: FloorOrder = { key, port: udp }
  const [far, { port }] = await Child.start<{ port: number }>(new URL('./floor-far.js', import.meta.url), order)
  await near.ask('connect', port)
  return {
    name: 'floor',
    connect(service) {
      if (service === 'sink') return dial(sink)
      if (service === 'source') return dial(source)
      throw new Error(`the floor has no ${service}`)
    },
    pump: async direction => void (await near.ask(direction === 'up' ? 'pumpUp' : 'pumpDown')),
    stopPump: async () => void (await near.ask('pumpStop')),
    ...both(near, far),
  }
}

function both(near: Child, far: Child): Pick<Contender, 'usage' | 'farUsage' | 'farHash' | 'stop'> {
  return {
    usage: () => near.usage(),
    farUsage: () => far.usage(),
    farHash: async count => (await far.ask('hash', count)) as string,
    stop: async () => void (await Promise.all([near.stop(), far.stop()])),
  }
}

/** `tunless up -D`. */
export async function startTunless(): Promise<Contender & { readonly socks: number }> {
  const { far, port, ends } = await startFar()
  const directory = mkdtempSync(join(tmpdir(), 'tunless-bench-'))
  const order: ClientOrder = { readyFile: join(directory, 'ready.json') }
  try {
    const env = { TUNLESS_CONFIG: ends.near(port) }
    const [near] = await Child.start(new URL('./client.js', import.meta.url), order, env)
    const socks = await readyPort(order.readyFile)
    return { name: 'tunless', socks, connect: service => dialSocks(socks, service), ...both(near, far) }
  } catch (error) {
    await far.stop()
    throw error
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function readyPort(path: string): Promise<number> {
  const until = performance.now() + readyTimeout
  for (;;) {
    try {
      return JSON.parse(readFileSync(path, 'utf8')).listeners[0].port
    } catch (error) {
      if (performance.now() > until) throw new Error('the tunnel does not come up', { cause: error })
    }
    await sleep(polling)
  }
}

/** A far end for whoever calls it. */
export async function startFar(): Promise<{ far: Child; port: number; ends: Ends }> {
  const ends = createEnds()
  const order: FarOrder = { conf: ends.far }
  const [far, { port }] = await Child.start<{ port: number }>(new URL('./far.js', import.meta.url), order)
  return { far, port, ends }
}

function createEnds(): Ends {
  const [near, far] = [newPrivateKey(), newPrivateKey()]
  const keys = {
    near: encodeKey(near),
    nearPublic: encodeKey(publicKeyOf(near)),
    farPublic: encodeKey(publicKeyOf(far)),
  }
  const farInterface = `[Interface]\nPrivateKey = ${encodeKey(far)}\nAddress = ${addresses.far}/32\n`
  const nearInterface = `[Interface]\nPrivateKey = ${keys.near}\nAddress = ${addresses.near}/32\nMTU = 1420\n`
  return {
    keys,
    far: `${farInterface}[Peer]\nPublicKey = ${keys.nearPublic}\nAllowedIPs = ${addresses.near}/32\n`,
    near: port =>
      `${nearInterface}[Peer]\nPublicKey = ${keys.farPublic}\nAllowedIPs = ${addresses.far}/32\nEndpoint = 127.0.0.1:${port}\n`,
  }
}
