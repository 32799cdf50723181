// What a program can hear of its tunnels by node:diagnostics_channel. Without a subscriber no message is made.
import { channel } from 'node:diagnostics_channel'
import type { PeerInfo } from './peer-info.js'
import type { Tunnel } from './tunnel.js'

/** Of `tunless:handshake`: a session was agreed on. */
export interface HandshakeMessage {
  readonly tunnel: Tunnel
  readonly peer: PeerInfo
}

/** Of `tunless:close`: the tunnel is closed. */
export interface CloseMessage {
  readonly tunnel: Tunnel
}

export const handshakes = channel('tunless:handshake')
export const closes = channel('tunless:close')
