// What to compare where no peer answers: WireGuard says nothing to a key that it does not know.
import type { PeerInfo } from '../../node/peer-info.js'

/** Names both public keys, which are no secret; undefined where no peer could be called. */
export function keysRemedy(
  ownKey: string,
  peers: readonly Pick<PeerInfo, 'name' | 'publicKey' | 'endpoint' | 'hasPresharedKey'>[],
): string | undefined {
  const [called, ...more] = peers.filter(peer => peer.endpoint !== undefined)
  if (called === undefined) return undefined
  const theirs =
    more.length > 0 ? "the PublicKey of each peer here must be that side's own" : `its own is ${called.publicKey}`
  const psk = called.hasPresharedKey ? ', and both sides have the same PresharedKey' : ''
  return `Compare by \`wg show\` on the other side: it has a peer ${ownKey}, ${theirs}${psk}. Then the endpoint, and whether UDP may leave this host.`
}
