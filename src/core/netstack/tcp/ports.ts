// Ephemeral ports, random and unique by 4-tuple rather than by port (RFC 6056): a port is free for a destination even
// while it is in use for another.
import type { AddressWords } from '../../wire/ip.js'
import type { TcpLayer } from './layer.js'

/** How long a 4-tuple of ours in TIME-WAIT must rest before we dial from it again: a tick of the peer's timestamps is past. */
const reuseGap = 1000

/** A port for a dial, or −1 if all are in use. */
export function chooseTcpPort(
  layer: TcpLayer,
  local: AddressWords,
  remote: AddressWords,
  remotePort: number,
  now: number,
): number {
  const { firstEphemeralPort: first, lastEphemeralPort: last } = layer.context.limits
  const count = last - first + 1
  const start = layer.context.random.below(count)
  let reusable = -1
  for (let i = 0; i < count; i++) {
    const port = first + ((start + i) % count)
    if (layer.flows.find(local, port, remote, remotePort) !== undefined) continue
    const record = layer.timeWait.find(local, port, remote, remotePort)
    if (record < 0) return port
    if (reusable < 0 && canReuse(layer, record, now)) reusable = port
  }
  return reusable
}

/** RFC 6191 from the side that dials: with timestamps in use the peer can tell the new SYN from an old one. */
export function canReuse(layer: TcpLayer, record: number, now: number): boolean {
  return layer.timeWait.tsOk(record) && now - layer.timeWait.tsRecentAt(record) > reuseGap
}
