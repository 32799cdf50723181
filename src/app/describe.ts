// How peers are put into words.
import type { PeerInfo } from '../node/peer-info.js'

/** What a peer is called by. */
export interface NamedPeer extends Pick<PeerInfo, 'name' | 'publicKey' | 'endpoint' | 'rtt'> {}

/** `web1 at 192.0.2.1:51820, round trip 12.3 ms`; a peer without name by the beginning of its key. */
export function describeReady({ peer }: { readonly peer?: NamedPeer }, port: number): string {
  if (peer === undefined) return `no peer has an Endpoint; waiting for them on UDP port ${port}`
  const name = peer.name ?? `${peer.publicKey.slice(0, 8)}…`
  const rtt = peer.rtt === undefined ? '' : `, round trip ${peer.rtt.toFixed(1)} ms`
  return `peer ${name}${peer.endpoint === undefined ? '' : ` at ${peer.endpoint}`}${rtt}`
}
