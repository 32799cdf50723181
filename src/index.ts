// The public API of tunless: WireGuard tunnels from inside a Node process.
export type { Config } from './core/config/config.js'
export { parseConfig } from './core/config/config.js'
export type { DnsLimits } from './core/resolver/resolver.js'
export { TunnelError, type TunnelErrorCode } from './errors.js'
export type { CaptureLayers, CaptureOptions } from './node/capture.js'
export type { DatagramOptions, DatagramSocket } from './node/datagram.js'
export type {
  DatagramFlow,
  DatagramFlowEvents,
  ForwardedConnection,
  ForwardedDatagrams,
  ForwardedPing,
  ForwarderHandlers,
  ForwarderOptions,
  ForwardPeer,
  ForwardRefusal,
  TunnelForwarder,
} from './node/forwarder.js'
export type { ConfigSource } from './node/load-config.js'
export type { TunnelLookup } from './node/lookup.js'
export { openTunnel } from './node/open.js'
export type { PeerInfo, PeerSettings, TunnelStats } from './node/peer-info.js'
export type { PingOptions, PingResult } from './node/ping.js'
export type { FlowEnd, FlowInfo } from './node/policy/flow-info.js'
export type { PolicySource } from './node/policy/source.js'
export type { TagConnectOptions } from './node/policy/tag-connect.js'
export type { PolicyOptions } from './node/policy/tunnel-policy.js'
export type { ReadyOptions } from './node/ready.js'
export type { TunnelServer, TunnelServerOptions } from './node/server.js'
export type { TunnelSocket, TunnelSocketOptions } from './node/socket.js'
export type { Ready, Tunnel, TunnelOptions } from './node/tunnel.js'
