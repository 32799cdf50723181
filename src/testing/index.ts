// `tunless/testing`: two hosts and a path between them on a virtual clock, seeded, to try code against loss, reordering
// and delay in milliseconds of real time.
export { createNetwork, type Network, type NetworkOptions, type SimulatedHost } from './network.js'
export { createPath, type Path, type PathCounters, type PathOptions } from './path.js'
export { createSeededRandom, type SeededRandom } from './random.js'
export { createVirtualClock, type VirtualClock } from './virtual-clock.js'
