// One key, one device: a process claims its tunnel's key by a socket in a private directory, and others join it there.
export { type Claim, claimKey } from './control/claim.js'
export { type JoinedTunnel, joinAt, joinTunnel, listTunnels, stopTunnel, type TunnelStatus } from './control/client.js'
export { removeAtExit } from './control/listen.js'
export type { Question as ControlQuestion } from './control/protocol.js'
export type { ControlDialOptions, ControlHandlers } from './control/server.js'
export { type ControlWayIn, openControlWayIn } from './control/way-in.js'
