// Looking into a device: the secrets of each handshake before its message leaves, the datagrams outside and the packets
// inside. Off unless a trace is given. What is passed may be used during the call only.
import type { Endpoint } from '../base/address.js'
import type { PacketMemory } from '../base/packet-memory.js'
import type { HandshakeSecrets } from '../wire/key-log.js'
import type { DeviceContext, DeviceSink } from './context.js'
import type { PeerState } from './peer.js'

/** Each part is asked for by being there. */
export interface DeviceTrace {
  /** Our secrets of a handshake whose initiation or response leaves next. */
  handshake?(secrets: HandshakeSecrets): void
  /** A UDP payload as it comes in, whatever it is, or goes out. */
  datagram?(memory: PacketMemory, offset: number, length: number, remote: Endpoint, outbound: boolean): void
  /** An IP packet before it is sealed, or as it was opened: also one that is then refused for its source address. */
  packet?(memory: PacketMemory, offset: number, length: number, outbound: boolean): void
}

export type { HandshakeSecrets } from '../wire/key-log.js'

/** A sink that shows what leaves on its way out. */
export function tracedSink(sink: DeviceSink, trace: DeviceTrace | undefined, memory: PacketMemory): DeviceSink {
  if (trace?.datagram === undefined) return sink
  return {
    sendDatagram(slot, length, endpoint) {
      trace.datagram?.(memory, slot, length, endpoint, true)
      sink.sendDatagram(slot, length, endpoint)
    },
    deliverPacket: (slot, offset, length, peer) => sink.deliverPacket(slot, offset, length, peer),
    report: event => sink.report(event),
  }
}

/** Shows the secrets of a handshake with `peer`, if somebody wants to see them. */
export function traceHandshake(device: DeviceContext, peer: PeerState, localEphemeral: Uint8Array): void {
  const localStatic = device.identity?.secret
  if (localStatic === undefined) return
  const { publicKey: remoteStatic, presharedKey } = peer
  device.trace?.handshake?.({ localStatic, remoteStatic, localEphemeral, presharedKey })
}
