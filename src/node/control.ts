// One key, one device: a process claims its tunnel's key by a socket in a private directory, and others join it there.
export { type Claim, type ClaimOptions, claimKey } from './control/claim.js'
export { type JoinedTunnel, joinTunnel, listTunnels, type TunnelStatus } from './control/client.js'
export type { ControlDialOptions, ControlHandlers, ControlLimits } from './control/server.js'
