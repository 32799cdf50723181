// The public API of tunless: WireGuard tunnels from inside a Node process.
export type { Config } from './core/config/config.js'
export { parseConfig } from './core/config/config.js'
export type { DnsLimits } from './core/resolver/resolver.js'
export { TunnelError, type TunnelErrorCode } from './errors.js'
export type { TunnelSocketConstructor } from './node/bound-socket.js'
export type { CaptureLayers, CaptureOptions } from './node/capture.js'
export type { TunnelConnect, TunnelDialOptions } from './node/connect.js'
export type { TunnelConnectOptions } from './node/connect-options.js'
export type { Connector, ConnectorOptions, ConnectorTarget } from './node/connector.js'
export type { DatagramSocket } from './node/datagram.js'
export type { DatagramOptions } from './node/datagram-arguments.js'
export type { DatagramEvents, RemoteInfo } from './node/datagram-settings.js'
export type { TunnelSocketEvents } from './node/event-duplex.js'
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
export type {
  DroppedConnection,
  TunnelListenOptions,
  TunnelServer,
  TunnelServerEvents,
  TunnelServerOptions,
} from './node/server.js'
export type { TunnelSocket, TunnelSocketOptions } from './node/socket.js'
export type { ConnectMessage } from './node/socket-channels.js'
export type { SocketError } from './node/socket-error.js'
export type { Tunnel } from './node/tunnel.js'
export type { CloseMessage, HandshakeMessage } from './node/tunnel-channels.js'
export type { Ready, TunnelEvents, TunnelOptions } from './node/tunnel-options.js'
