// `tunless/testing`: whole hosts and a path between them on a virtual clock, seeded, to try code against loss, reordering
// and delay in milliseconds of real time. docs/testing.md shows how.
export { createNetwork, type HostPair, type Network, type NetworkOptions, type PairOptions } from './network.js'
export { createPath, type Path, type PathCounters, type PathOptions } from './path.js'
export { createSeededRandom, type SeededRandom } from './random.js'
export type { SimulatedHost, SimulatedServer } from './simulated-host.js'
export { type SimulatedSocket, SimulatedSocketError } from './socket.js'
export {
  createTransfer,
  type Transfer,
  type TransferEnd,
  type TransferOptions,
} from './transfer.js'
export { createVirtualClock, type VirtualClock } from './virtual-clock.js'
