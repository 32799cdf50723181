// The counters of every layer of an engine, in one object.
import type { Engine } from './engine.js'
import type { TunnelStats } from './peer-info.js'

/** `received`: datagrams that came, genuine or not. */
export function engineStats(engine: Engine, received: number): Omit<TunnelStats, 'peers'> {
  const { cryptoName, host, udp, names, live, now } = engine
  const { device, stack, memory, gate } = host
  const { isUnderLoad, queuedHandshakes, limitedSources, indices } = device.status(now())
  return {
    crypto: cryptoName,
    publicKey: live.publicKey,
    port: udp.port,
    udp: { received, ...udp.counters },
    device: { ...device.counters },
    load: { underLoad: isUnderLoad, queuedHandshakes, limitedSources, indices },
    stack: { ...stack.counters },
    dns: { ...names.counters },
    sockets: stack.stats(),
    memory: { slots: memory.capacity, inUse: memory.inUse },
    ...(gate && { policy: { ...gate.counters } }),
  }
}
