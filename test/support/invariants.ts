// What holds after every step of every simulation, whatever the network, the clocks and the hosts do.
import { maskAddress } from '../../src/core/base/address.js'
import type { Crypto } from '../../src/core/crypto/crypto.js'
import { defaultLimits, defaultTimers } from '../../src/core/wireguard/constants.js'
import type { PeerState } from '../../src/core/wireguard/peer.js'
import { nodeCrypto } from '../../src/node/crypto/node.js'
import type { Host, World } from './wireguard.js'

/** The same backend, that knows its transport keys: when each was made, until it is wiped. */
export function watchedCrypto(
  world: World,
  crypto: Crypto = nodeCrypto,
): { crypto: Crypto; keys: Map<object, number> } {
  const keys = new Map<object, number>()
  return {
    keys,
    crypto: {
      ...crypto,
      transportKey(bytes) {
        const inner = crypto.transportKey(bytes)
        const key = {
          seal: inner.seal.bind(inner),
          open: inner.open.bind(inner),
          wipe() {
            keys.delete(key)
            inner.wipe()
          },
        }
        keys.set(key, world.now)
        return key
      },
    },
  }
}

/** Checks `world` after every step from here on; throws, naming what did not hold. */
export function watch(world: World): void {
  const nonces = new Set<string>()
  let seen = 0
  world.invariant = () => {
    for (; seen < world.sent.length; seen++) {
      const { bytes, from } = world.sent[seen]!
      if (bytes[0] !== 4) continue
      // Receiver index and counter: an index is drawn afresh for each keypair, so the pair names key and nonce.
      const nonce = `${from.id} ${Buffer.from(bytes.subarray(4, 16)).toString('hex')}`
      if (nonces.has(nonce)) throw new Error(`nonce ${nonce} was used twice`)
      nonces.add(nonce)
    }
    for (const host of world.hosts) checkHost(host)
  }
}

function checkHost(host: Host): void {
  const { world, device, received } = host
  const { queuedHandshakes, limitedSources, indices, peers } = device.status(world.now)
  if (queuedHandshakes > defaultLimits.queuedHandshakes) throw new Error('too many handshakes wait')
  if (limitedSources > defaultLimits.sources) throw new Error('too many sources are remembered')
  if (indices > 4 * [...peers].length) throw new Error(`${indices} indices in use`)
  for (const peer of peers as PeerState[])
    if (peer.staged.size > defaultLimits.stagedPackets) throw new Error('too many packets are staged')
  if (new Set(received).size !== received.length) throw new Error('a packet was delivered twice')
  // Who sleeps wipes nothing, and does so first of all when it wakes.
  if (host.isSuspended) return
  for (const peer of peers as PeerState[]) {
    const { previous, current, next } = peer.keypairs
    for (const keypair of [previous, current, next])
      if (keypair !== undefined && world.now - keypair.createdAt >= defaultTimers.rejectAfterTime)
        throw new Error('a keypair is older than 180 s')
  }
}

/** No key of `keys` is older than 180 s, or more than there can be; to be called after a step with every host awake. */
export function checkKeys(world: World, keys: ReadonlyMap<object, number>): void {
  for (const createdAt of keys.values())
    if (world.now - createdAt >= defaultTimers.rejectAfterTime) throw new Error('a transport key is older than 180 s')
  // Three keypairs of two keys, a peer.
  const most = world.hosts.reduce((sum, host) => sum + 6 * [...host.device.peers()].length, 0)
  if (keys.size > most) throw new Error(`${keys.size} transport keys in memory`)
}

/** Each packet comes from a source that its peer may use, or this throws. */
export function watchSources(host: Host): void {
  host.onPacket = (packet, peer) => {
    const source = (packet[0] as number) >> 4 === 4 ? packet.slice(12, 16) : packet.slice(8, 24)
    const covers = peer.allowedIps.some(
      ({ address, length }) =>
        address.length === source.length && Buffer.compare(maskAddress(source, length), address) === 0,
    )
    if (!covers) throw new Error('a packet came from outside of its peer')
  }
}
