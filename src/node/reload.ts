// The configuration of a tunnel: its peers at the beginning, and later, when it has changed, what of it the tunnel takes over.
import { formatPrefix, type IpAddress, sameAddress } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import type { Config, InterfaceConfig, PeerConfig } from '../core/config/config.js'
import { singleAddresses } from '../core/config/draft.js'
import type { LiveChanges } from './live-changes.js'
import type { PeerBook } from './peer-book.js'
import type { PeerEdit } from './peer-info.js'

/** All that are not this tunnel itself. */
export function addPeers(book: PeerBook, { peers }: Config, warn: (message: string) => void): void {
  for (const peer of peers) {
    if (book.set(asEdit(peer)) !== undefined) continue
    const label = peer.name ?? `${encodeKey(peer.publicKey).slice(0, 8)}…`
    warn(`peer ${label} has this tunnel's own key and is ignored`)
  }
}

/** What became of a change. */
export interface Reloaded {
  /** What the tunnel is by now. */
  readonly config: Config
  /** Keys of `[Interface]` that another tunnel is needed for. */
  readonly left: readonly string[]
}

/**
 * Makes a tunnel what `next` says, where it was made by `former`. Connections go on as long as their peer is there; a peer that was
 * added otherwise stays. Rejects with TUNNEL_CLOSED, TUNNEL_KEY_IN_USE or UDP_BIND_FAILED, before any peer is changed.
 */
export async function applyConfig(live: LiveChanges, former: Config, next: Config): Promise<Reloaded> {
  const { privateKey, listenPort = 0 } = next.interface
  if (listenPort !== (former.interface.listenPort ?? 0)) await live.changePort(listenPort)
  if (privateKey !== undefined) await live.changeKey(privateKey)
  const formerPeers = new Map(former.peers.map(peer => [encodeKey(peer.publicKey), peer]))
  const nextKeys = new Set(next.peers.map(peer => encodeKey(peer.publicKey)))
  for (const [key, { publicKey }] of formerPeers) if (!nextKeys.has(key)) live.dropPeer(publicKey)
  // All of them, and in order: of two that claim one prefix, the last has it.
  for (const peer of next.peers) applyPeer(live, peer, formerPeers.get(encodeKey(peer.publicKey)))
  const config = { ...next, interface: keepFixed(former.interface, next.interface) }
  live.rename(config.interface)
  return { config, left: fixedChanges(former.interface, next.interface) }
}

function applyPeer(live: LiveChanges, peer: PeerConfig, former: PeerConfig | undefined): void {
  const { endpoint, ...edit } = asEdit(peer)
  const isElsewhere =
    endpoint !== undefined && (endpoint.host !== former?.endpoint?.host || endpoint.port !== former.endpoint.port)
  const record = live.editPeer({
    ...edit,
    presharedKey: peer.presharedKey ?? new Uint8Array(32),
    persistentKeepalive: peer.persistentKeepalive ?? 0,
    replaceAllowedIps: true,
    // Where it was heard last is better than where it was called first.
    ...(isElsewhere && { endpoint }),
  })
  if (record === undefined) return
  record.name = peer.name
  record.addresses = edit.addresses
}

/** Addresses that follow from the AllowedIPs are left to follow them. */
function asEdit({ addresses, ...peer }: PeerConfig): PeerEdit {
  const singles = singleAddresses(peer.allowedIps)
  const follows =
    singles.length === addresses.length && singles.every((one, i) => sameAddress(one, addresses[i] as IpAddress))
  return follows ? peer : { ...peer, addresses }
}

function keepFixed({ addresses, mtu }: InterfaceConfig, next: InterfaceConfig): InterfaceConfig {
  const { mtu: _, ...rest } = next
  return { ...rest, addresses, ...(mtu !== undefined && { mtu }) }
}

function fixedChanges(former: InterfaceConfig, next: InterfaceConfig): string[] {
  const addresses = (own: InterfaceConfig) => own.addresses.map(formatPrefix).join()
  return [...(addresses(former) === addresses(next) ? [] : ['Address']), ...(former.mtu === next.mtu ? [] : ['MTU'])]
}
