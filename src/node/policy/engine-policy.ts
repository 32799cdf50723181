// Where a tunnel's policy and netmap meet its engine: who the nodes are, and what follows when the netmap says otherwise.
import type { Endpoint } from '../../core/base/address.js'
import type { Netmap } from '../../core/policy/netmap.js'
import type { TunnelError } from '../../errors.js'
import type { Engine } from '../engine.js'
import type { PeerBook } from '../peer-book.js'
import { explainDenied } from './denied.js'
import { type NetmapPeer, netmapOfPeers } from './netmap-of-peers.js'
import type { TunnelPolicy } from './tunnel-policy.js'

/** Throws NETMAP_INVALID or POLICY_INVALID. */
export function attachPolicy(policy: TunnelPolicy, engine: Engine): void {
  const { host, now, book, names, stackPort } = engine
  policy.attach({
    host,
    now,
    own: () => engine.config.interface,
    ownKey: () => host.device.publicKey,
    peers: () => netmapPeers(book),
    netmapChanged: netmap => {
      book.adopt(netmap)
      names.renamed()
    },
    changed: stackPort.changed,
    warn: message => engine.warn(message),
  })
}

/** Of the netmap file if there is one, else of the configuration, as things are now. */
export function netmapOf({ policy, config, host, book }: Engine): Netmap {
  return policy?.netmap ?? netmapOfPeers(config.interface, host.device.publicKey, netmapPeers(book))
}

/** Why a dial ended with EACCES, which the other side may have said although there is no policy here. */
export function explainRefused(policy: TunnelPolicy | undefined, target: Endpoint): TunnelError {
  return policy?.explain(target) ?? explainDenied(target, undefined, '')
}

function netmapPeers(book: PeerBook): NetmapPeer[] {
  return book.all().map(record => ({
    publicKey: record.peer.publicKey,
    name: record.name,
    tags: record.tags,
    addresses: book.addressesOf(record),
    allowedIps: record.peer.allowedIps,
  }))
}
