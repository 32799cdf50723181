// Whole hosts, WireGuard and TCP/IP, joined by a path on a virtual clock. The same seed replays the same run to the byte.
import { type Endpoint, parseAddress, parsePrefix } from '../core/base/address.js'
import type { Crypto } from '../core/crypto/crypto.js'
import { nobleCrypto } from '../core/crypto/noble/index.js'
import type { HostOptions } from '../core/host/host.js'
import { createPath, type Path, type PathOptions } from './path.js'
import { plainCrypto } from './plain-crypto.js'
import { createSeededRandom, type SeededRandom } from './random.js'
import { type SimulatedHost, type SimulatedHostSetup, simulateHost } from './simulated-host.js'
import { createVirtualClock, type VirtualClock } from './virtual-clock.js'

export interface PairOptions {
  /** For both hosts: congestion control, limits, timers, packet memory. `a` and `b` override it for one of them. */
  host?: Partial<HostOptions>
  a?: Partial<HostOptions>
  b?: Partial<HostOptions>
}

export interface NetworkOptions extends PairOptions {
  /** Same seed, same run. 1 without it. */
  seed?: number
  /** Both directions of the path; `there` (a to b) and `back` override it for one direction. */
  path?: PathOptions
  there?: PathOptions
  back?: PathOptions
  /** Largest packet inside the tunnel, bytes; 1420 without it. A datagram of the path is 32 bytes larger. */
  mtu?: number
  /**
   * Cryptography of the tunnel: 'real' (without it), in plain JavaScript; 'plain', which protects nothing and costs next to
   * nothing, for large transfers; or a backend.
   */
  crypto?: 'real' | 'plain' | Crypto
  /** Packets that a host may send in one turn, 64 without it. */
  budget?: number
  /** From an arrival or a write to the host's turn, ms: what comes in between is one batch. 0 without it. */
  turn?: number
  /** Granularity of the hosts' timers, ms: Node's is 1. 0 (as without it) is exact. */
  timerTick?: number
}

/** Two hosts; `a` knows where `b` is, `b` learns it from the first handshake. */
export interface HostPair {
  readonly a: SimulatedHost
  readonly b: SimulatedHost
}

/** The first pair is 10.7.0.1, fd07::1 and 10.7.0.2, fd07::2. */
export interface Network extends HostPair {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  /** From a to b, and back, of all pairs. */
  readonly there: Path
  readonly back: Path
  /** Two more hosts with a tunnel of their own, whose datagrams share the path with all others. */
  pair(options?: PairOptions): HostPair
  /** {@link VirtualClock.run}: lets virtual time pass until `task` is settled. */
  run<T>(task: Promise<T> | (() => Promise<T>), limit?: number): Promise<T>
}

/** Two hosts and the path between them. Nothing happens before its clock runs. */
export function createNetwork(options: NetworkOptions = {}): Network {
  const clock = createVirtualClock()
  const random = createSeededRandom(options.seed ?? 1)
  const crypto = cryptoOf(options.crypto)
  const there = createPath(clock, random, { ...options.path, ...options.there })
  const back = createPath(clock, random, { ...options.path, ...options.back })
  let pairs = 0

  function pair(own: PairOptions = {}): HostPair {
    const number = pairs++
    if (number > 99) throw new RangeError('a network has at most 100 pairs of hosts')
    const [secretA, secretB] = [createSecret(random), createSecret(random)]
    const setup = (index: 1 | 2): SimulatedHostSetup => {
      const other = 3 - index
      return {
        name: `${index === 1 ? 'a' : 'b'}${number === 0 ? '' : number + 1}`,
        clock,
        address: must(parseAddress(`10.7.${number}.${index}`)),
        address6: must(parseAddress(`fd07:0:0:${number}::${index}`)),
        endpoint: endpointOf(number, index),
        peerEndpoint: endpointOf(number, other),
        path: index === 1 ? there : back,
        budget: options.budget ?? 64,
        turn: options.turn ?? 0,
        timerTick: options.timerTick ?? 0,
        host: {
          crypto,
          random: bytes => random.fill(bytes),
          privateKey: index === 1 ? secretA : secretB,
          addresses: [
            must(parsePrefix(`10.7.${number}.${index}/32`)),
            must(parsePrefix(`fd07:0:0:${number}::${index}/128`)),
          ],
          peers: [
            {
              publicKey: publicKeyOf(crypto, index === 1 ? secretB : secretA),
              allowedIps: [
                must(parsePrefix(`10.7.${number}.${other}/32`)),
                must(parsePrefix(`fd07:0:0:${number}::${other}/128`)),
              ],
              ...(index === 1 && { endpoint: endpointOf(number, other) }),
            },
          ],
          mtu: options.mtu ?? 1420,
          memoryBytes: 16 * 1024 * 1024,
          ...options.host,
          ...own.host,
          ...(index === 1 ? own.a : own.b),
        },
      }
    }
    const a = simulateHost(setup(1))
    const b = simulateHost(setup(2))
    a.joinTo(b)
    b.joinTo(a)
    return { a, b }
  }

  const { a, b } = pair({ ...(options.a && { a: options.a }), ...(options.b && { b: options.b }) })
  return { clock, random, a, b, there, back, pair, run: (task, limit) => clock.run(task, limit) }
}

function cryptoOf(crypto: NetworkOptions['crypto'] = 'real'): Crypto {
  if (crypto === 'real') return nobleCrypto
  return crypto === 'plain' ? plainCrypto : crypto
}

function createSecret(random: SeededRandom): Uint8Array {
  const secret = new Uint8Array(32)
  random.fill(secret)
  return secret
}

function publicKeyOf(crypto: Crypto, secret: Uint8Array): Uint8Array {
  const key = crypto.privateKey(secret)
  const publicKey = key.publicKey.slice()
  key.wipe()
  return publicKey
}

function endpointOf(pair: number, host: number): Endpoint {
  return { address: Uint8Array.of(192, 0, 2, 2 * pair + host), port: 51820 }
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a constant of the simulation does not parse')
  return value
}
