// Two devices and somebody between them who changes what passes, who also has both sides' keys: mutations are sealed again (MAC1
// fixed, data encrypted, handshakes made from the inside), so that they get past the first check. One step is one act; what
// must hold is checked after each.
import { writeNonce } from '../../src/core/crypto/bytes.js'
import type { Crypto, TransportKey } from '../../src/core/crypto/crypto.js'
import { messageType, serialiseInitiation, serialiseResponse } from '../../src/core/wire/wireguard.js'
import { construction, defaultLimits, identifier } from '../../src/core/wireguard/constants.js'
import {
  readInitiationPayload,
  readInitiationStatic,
  SymmetricState,
  writeInitiation,
  writeResponse,
} from '../../src/core/wireguard/noise.js'
import type { PeerState } from '../../src/core/wireguard/peer.js'
import { nodeCrypto } from '../../src/node/crypto/node.js'
import { createSeededRandom } from '../../src/testing/random.js'
import { endpointOf, type Host, ipPacket, prefix, type Sent, World } from '../support/wireguard.js'
import { createMutator } from './mutate.js'

/** Datagrams that can be changed or sent again. */
const remembered = 64
const nothing = new Uint8Array(0)
const noMac2 = new Uint8Array(16)

export interface DeviceFuzz {
  /** Does one thing; returns what came of it in a word or two. Throws where something does not hold. */
  step(): string
  /** Table sizes, and how many packets got through. */
  sizes(): Record<string, number>
}

export function createDeviceFuzz(seed: number): DeviceFuzz {
  const random = createSeededRandom(seed)
  const { mutate, pick } = createMutator(random)
  const chance = (probability: number) => random.next() < probability
  const bytes = (length: number) => {
    const drawn = new Uint8Array(length)
    random.fill(drawn)
    return drawn
  }
  const { crypto, rawKey, liveKeys } = remembering(nodeCrypto)
  const world = new World(seed)
  const a = world.host({ address: '192.0.2.1:1001', crypto })
  const b = world.host({ address: '192.0.2.2:1002', crypto })
  const hosts = [a, b] as const
  const other = (host: Host) => (host === a ? b : a)
  const addressOf = (host: Host) => (host === a ? '10.0.0.1' : '10.0.0.2')
  const prefixesOf = (host: Host) => [
    prefix(`${addressOf(host)}/32`),
    prefix(host === a ? 'fd00::1/128' : 'fd00::2/128'),
  ]
  const publicKeys = new Map(hosts.map(host => [host, host.publicKey]))
  const publicOf = (host: Host) => publicKeys.get(host) as Uint8Array
  let presharedKey = new Uint8Array(32)
  let delivered = 0
  let sent = 0
  let mostQueued = 0
  const seen = new Set<string>()

  function join(host: Host): void {
    const far = other(host)
    const change = { publicKey: publicOf(far), endpoint: far.endpoint, presharedKey, allowedIps: prefixesOf(far) }
    host.device.setPeer(change, world.now)
  }

  const history: Sent[] = []
  world.sent.push = datagram => {
    if (history.length === remembered) history.shift()
    return history.push(datagram)
  }
  Object.assign(world.link, { delay: 5, jitter: 40, loss: 0.1, duplicate: 0.05 })
  for (const host of hosts) {
    join(host)
    host.onPacket = packet => {
      delivered++
      const text = /u\d+;/.exec(Buffer.from(packet).toString('latin1'))?.[0]
      if (text !== undefined && seen.has(text)) throw new Error(`${text} was delivered twice`)
      if (text !== undefined) seen.add(text)
      const isIpv4 = (packet[0] as number) >> 4 === 4
      const source = isIpv4 ? packet.slice(12, 16) : packet.slice(8, 24)
      const [v4, v6] = prefixesOf(other(host))
      if (Buffer.compare(source, (isIpv4 ? v4 : v6)!.address) !== 0) throw new Error('a packet from outside AllowedIPs')
      const view = new DataView(packet.buffer)
      if (packet.length !== (isIpv4 ? view.getUint16(2) : 40 + view.getUint16(4)))
        throw new Error('a packet is not trimmed')
    }
  }

  const peerOf = (host: Host) => host.device.peer(publicOf(other(host))) as PeerState | undefined

  /** What only genuine messages may move. */
  function genuineState(host: Host): string {
    const peer = peerOf(host)
    if (peer === undefined) return ''
    return JSON.stringify([
      peer.rxBytes,
      peer.lastReceivedAt,
      peer.lastHandshakeAt,
      peer.endpoint,
      host.received.length,
    ])
  }

  function withMac1(message: Uint8Array, receiver: Host, mac2 = noMac2): Uint8Array {
    const sealed = message.slice()
    if (sealed.length < 33) return sealed
    const key = nodeCrypto.macKey(nodeCrypto.hash(new TextEncoder().encode('mac1----'), publicOf(receiver)))
    key.compute(sealed, 0, sealed.length - 32, sealed, sealed.length - 32)
    sealed.set(mac2, sealed.length - 16)
    return sealed
  }

  /** Gives a host a datagram at once. */
  function give(host: Host, datagram: Uint8Array, from = other(host).endpoint): void {
    if (datagram.length > 0 && datagram.length <= host.memory.slotSize) host.receive(datagram, from)
  }

  const anyEndpoint = (host: Host) =>
    chance(0.8) ? other(host).endpoint : endpointOf(`192.0.2.${3 + random.integer(200)}:9`)
  const lastOf = (from: Host, type: number) =>
    history.findLast(sent => sent.from === from && sent.bytes[0] === type)?.bytes

  function isGenuine(datagram: Uint8Array): boolean {
    return history.some(({ bytes: sent }) => {
      const covered = (sent[0] as number) <= messageType.response ? sent.length - 16 : sent.length
      return (
        sent.length === datagram.length &&
        Buffer.compare(sent.subarray(0, covered), datagram.subarray(0, covered)) === 0
      )
    })
  }

  const acts: Record<string, (host: Host) => void> = {
    send(host) {
      const peer = peerOf(host)
      if (peer === undefined) return
      const payload = `u${sent++};`.padEnd(chance(0.1) ? random.integer(1800) : random.integer(60))
      host.sendBytes(peer, ipPacket(addressOf(host), addressOf(other(host)), payload))
    },
    wait() {
      world.run(chance(0.05) ? random.integer(200_000) : random.integer(1500))
    },
    /** No secret is known: nothing may come of it. */
    mutateOnly(host) {
      if (history.length === 0) return
      const { bytes: original } = pick(history)
      const changed = mutate(
        original,
        history.map(sent => sent.bytes),
      )
      if (isGenuine(changed)) return
      const before = genuineState(host)
      give(host, changed, anyEndpoint(host))
      host.settle()
      if (genuineState(host) !== before) throw new Error('a message that nobody sent changed something')
    },
    mutateAndMac(host) {
      const { bytes: original } = history.length > 0 ? pick(history) : { bytes: bytes(148) }
      const changed = mutate(
        original,
        history.map(sent => sent.bytes),
      )
      give(host, withMac1(changed, host, chance(0.2) ? bytes(16) : noMac2), anyEndpoint(host))
    },
    replay(host) {
      if (history.length > 0) give(host, pick(history).bytes, anyEndpoint(host))
    },
    /** Any plaintext at any counter, under a key of the session. */
    forgeData(host) {
      const keypairs = peerOf(other(host))?.keypairs
      const keypair = pick([keypairs?.current, keypairs?.previous, keypairs?.next])
      const key = keypair && rawKey(keypair.sending)
      if (keypair === undefined || key === undefined) return
      const packet = ipPacket(addressOf(other(host)), addressOf(host), 'forged')
      const packet6 = ipPacket(host === a ? 'fd00::2' : 'fd00::1', host === a ? 'fd00::1' : 'fd00::2', 'forged')
      const plaintext = chance(0.1) ? nothing : mutate(pick([packet, packet6]), [packet, packet6]).slice(0, 1800)
      const [hi, lo] = pick<[number, number]>([
        [keypair.sendHi, (keypair.sendLo + random.integer(100)) >>> 0],
        [keypair.sendHi, Math.max(0, keypair.sendLo - random.integer(9000))],
        [random.integer(2 ** 21), random.integer(2 ** 32)],
        [2 ** 28, random.integer(4)],
        [0xffff_ffff, 0xffff_dffc + random.integer(8)],
      ])
      const nonce = new Uint8Array(12)
      writeNonce(nonce, hi, lo)
      const sealed = nodeCrypto.seal(key, nonce, plaintext, nothing)
      const message = new Uint8Array(16 + sealed.length)
      const view = new DataView(message.buffer)
      view.setUint32(0, messageType.data, true)
      view.setUint32(4, keypair.remoteIndex, true)
      message.set(nonce.subarray(4), 8)
      message.set(sealed, 16)
      const copies = chance(0.2) ? 2 : 1
      const before = delivered
      for (let i = 0; i < copies; i++) give(host, message, anyEndpoint(host))
      host.settle()
      if (delivered > before + 1) throw new Error('a message was delivered twice')
    },
    /** As the peer itself, with any timestamp. */
    forgeInitiation(host) {
      const far = other(host)
      const key = nodeCrypto.privateKey(far.secret)
      const shared = nodeCrypto.dh(key, publicOf(host)) as Uint8Array
      const ephemeral = nodeCrypto.privateKey(bytes(32))
      // A time far ahead shuts the true peer out until it is configured anew: rare, or nothing else would happen.
      const timestamp = chance(0.97)
        ? nearTimestamp()
        : pick([bytes(12), new Uint8Array(12), bytes(12).fill(255, 0, 8)])
      const state = SymmetricState.start(nodeCrypto, construction, identifier)
      const fields = writeInitiation(nodeCrypto, state, ephemeral, key, publicOf(host), shared, timestamp)
      if (fields === undefined) return
      let message = serialiseInitiation({
        sender: random.integer(2 ** 32),
        ephemeral: fields.ephemeral,
        encryptedStatic: fields.encryptedStatic,
        encryptedTimestamp: fields.encryptedPayload,
      })
      if (chance(0.2)) message = mutate(message, [message])
      give(host, withMac1(message, host), anyEndpoint(host))
      host.settle()
    },
    /** As the peer itself, to the initiation that is pending. */
    forgeResponse(host) {
      const far = other(host)
      const initiation = lastOf(host, messageType.initiation)
      if (initiation === undefined) return
      const key = nodeCrypto.privateKey(far.secret)
      const state = SymmetricState.start(nodeCrypto, construction, identifier)
      const [remoteEphemeral, encryptedStatic] = [initiation.slice(8, 40), initiation.slice(40, 88)]
      const caller = readInitiationStatic(nodeCrypto, state, key, { ephemeral: remoteEphemeral, encryptedStatic })
      const shared = caller && nodeCrypto.dh(key, caller)
      if (caller === undefined || shared === undefined) return
      readInitiationPayload(state, shared, initiation.slice(88, 116))
      const psk = chance(0.9) ? presharedKey : bytes(32)
      const ephemeral = nodeCrypto.privateKey(bytes(32))
      const fields = writeResponse(nodeCrypto, state, ephemeral, remoteEphemeral, caller, psk, nothing)
      if (fields === undefined) return
      let message = serialiseResponse({
        sender: random.integer(2 ** 32),
        receiver: new DataView(initiation.buffer, initiation.byteOffset).getUint32(4, true),
        ephemeral: fields.ephemeral,
        encryptedNothing: fields.encryptedPayload,
      })
      if (chance(0.2)) message = mutate(message, [message])
      give(host, withMac1(message, host), anyEndpoint(host))
      host.settle()
    },
    /** As the peer itself: any cookie for the last handshake message. */
    forgeCookie(host) {
      const message = lastOf(host, pick([messageType.initiation, messageType.response]))
      if (message === undefined) return
      const key = nodeCrypto.hash(new TextEncoder().encode('cookie--'), publicOf(other(host)))
      const nonce = bytes(24)
      const mac1 = chance(0.8) ? message.slice(-32, -16) : bytes(16)
      const reply = new Uint8Array(64)
      reply[0] = messageType.cookieReply
      reply.set(message.subarray(4, 8), 4)
      reply.set(nonce, 8)
      reply.set(nodeCrypto.xseal(key, nonce, bytes(16), mac1), 32)
      const copies = chance(0.3) ? 2 : 1
      for (let i = 0; i < copies; i++) give(host, chance(0.8) ? reply : mutate(reply, [reply]), anyEndpoint(host))
    },
    flood(host) {
      if (chance(0.95)) return
      for (let i = 0; i < 600; i++) {
        const message = bytes(148)
        message.set([messageType.initiation, 0, 0, 0])
        give(host, withMac1(message, host), anyEndpoint(host))
      }
      mostQueued = Math.max(mostQueued, host.device.status(world.now).queuedHandshakes)
    },
    configure(host) {
      const { publicKey } = { publicKey: publicOf(other(host)) }
      switch (random.integer(chance(0.1) ? 7 : 3)) {
        case 0:
          host.device.setPeer({ publicKey, persistentKeepalive: pick([0, 1, 25, 65535]) }, world.now)
          return
        case 1:
          host.endpoint = endpointOf(`192.0.2.${host === a ? 1 : 2}:${1000 + random.integer(1000)}`)
          return
        case 2:
          world.wallOffset += random.integer(20_000) - 10_000
          return
        case 3:
          presharedKey = bytes(32)
          for (const each of hosts) join(each)
          return
        case 4:
          host.device.removePeer(publicKey, world.now)
          join(host)
          return
        case 5:
          host.device.setPrivateKey(undefined, world.now)
          if (chance(0.5)) world.run(random.integer(1000))
          host.device.setPrivateKey(host.secret, world.now)
          return
        default:
          host.device.stop(world.now)
          host.device.setPrivateKey(host.secret, world.now)
          join(host)
      }
    },
  }
  // Ordinary traffic is most of it: what is forged meets sessions at every point of their life.
  const names = [...Object.keys(acts), ...['send', 'send', 'wait', 'wait', 'wait', 'forgeData', 'forgeData']]

  /** Seconds of TAI64 around the present, so that some are newer than the last one and many are not. */
  function nearTimestamp(): Uint8Array {
    const timestamp = bytes(12)
    const seconds = BigInt(Math.floor((world.now + world.wallOffset) / 1000) + random.integer(20) - 15)
    new DataView(timestamp.buffer).setBigUint64(0, 2n ** 62n + 10n + seconds)
    return timestamp
  }

  function check(): void {
    for (const host of hosts) {
      const status = host.device.status(world.now)
      const peers = status.peers as PeerState[]
      const staged = peers.reduce((sum, peer) => sum + peer.staged.size, 0)
      if (host.memory.inUse !== staged) throw new Error(`${host.memory.inUse} slots in use, ${staged} packets staged`)
      if (staged > defaultLimits.stagedPackets) throw new Error(`${staged} packets staged`)
      if (status.indices > 4 * peers.length) throw new Error(`${status.indices} indices`)
      if (status.queuedHandshakes > defaultLimits.queuedHandshakes) throw new Error('the queue is too long')
      if (status.limitedSources > defaultLimits.sources) throw new Error('the limiter is too full')
    }
    // Three keypairs of two keys for each of the two.
    if (liveKeys() > 12) throw new Error(`${liveKeys()} transport keys are not wiped`)
  }

  return {
    step() {
      const name = pick(names)
      const host = pick(hosts)
      const before = { ...host.device.counters }
      const events = host.events.length
      ;(acts[name] as (host: Host) => void)(host)
      host.settle()
      check()
      const moved = Object.entries(host.device.counters).flatMap(([key, value]) =>
        value === before[key as keyof typeof before] ? [] : key,
      )
      const reported = new Set(host.events.slice(events).map(event => event.type))
      host.events.length = 0
      for (const each of hosts) each.received.length = 0
      return name === 'wait' ? name : `${name}: ${moved.join()} ${[...reported].join()}`
    },
    sizes() {
      const status = hosts.map(host => host.device.status(world.now))
      const most = (key: 'indices' | 'limitedSources') => Math.max(...status.map(each => each[key]))
      return {
        indices: most('indices'),
        queued: mostQueued,
        limited: most('limitedSources'),
        slots: a.memory.inUse + b.memory.inUse,
        keys: liveKeys(),
        delivered,
      }
    },
  }
}

/** The same backend; transport keys can be looked up, and those that were not wiped are counted. */
function remembering(crypto: Crypto): {
  crypto: Crypto
  rawKey(key: TransportKey): Uint8Array | undefined
  liveKeys(): number
} {
  const raw = new WeakMap<TransportKey, Uint8Array>()
  let live = 0
  return {
    rawKey: key => raw.get(key),
    liveKeys: () => live,
    crypto: {
      ...crypto,
      transportKey(bytes) {
        const inner = crypto.transportKey(bytes)
        let isWiped = false
        live++
        const key: TransportKey = {
          seal: (memory, offset, length, hi, lo) => inner.seal(memory, offset, length, hi, lo),
          open: (memory, offset, length, hi, lo) => inner.open(memory, offset, length, hi, lo),
          wipe() {
            if (!isWiped) live--
            isWiped = true
            inner.wipe()
          },
        }
        raw.set(key, bytes.slice())
        return key
      },
    },
  }
}
