// How an engine comes to be: a host without a kernel, bound to its UDP sockets.
import { defaultMemoryBytes } from '../core/base/packet-memory.js'
import type { Config } from '../core/config/config.js'
import { Host } from '../core/host/host.js'
import { slotSizeFor } from '../core/host/slot-size.js'
import type { KeyClaims } from './claims.js'
import { createClock } from './clock.js'
import { random } from './crypto/random.js'
import { type CryptoName, withCrypto } from './crypto/select.js'
import { Engine } from './engine.js'
import type { TunnelPolicy } from './policy/tunnel-policy.js'
import { openTracing } from './trace.js'
import type { TunnelOptions } from './tunnel-options.js'
import { bindUdp, type UdpSockets } from './udp.js'

/** Inner MTU where the configuration names none: fits an outer path of 1500 bytes over IPv6. */
const defaultMtu = 1420

export interface EngineSettings {
  readonly config: Config
  readonly privateKey: Uint8Array
  readonly options: TunnelOptions
  readonly claims: KeyClaims
  readonly policy: TunnelPolicy | undefined
}

/** Rejects with UDP_BIND_FAILED, TRACE_FILE_REFUSED, CRYPTO_UNAVAILABLE, NETMAP_INVALID or POLICY_INVALID. */
export async function openEngine(settings: EngineSettings): Promise<Engine> {
  const { config, privateKey, options, policy } = settings
  const mtu = config.interface.mtu ?? defaultMtu
  const { memoryBytes = defaultMemoryBytes } = options
  const [crypto, memory] = withCrypto(options.crypto, crypto => crypto.createMemory(memoryBytes, slotSizeFor(mtu)))
  const now = createClock()
  let engine: Engine | undefined
  let udp: UdpSockets | undefined
  const warnings: string[] = []
  const tracing = openTracing(options, message =>
    engine === undefined ? warnings.push(message) : engine.warn(message),
  )
  const host = new Host({
    crypto,
    memory,
    random,
    privateKey,
    addresses: config.interface.addresses,
    mtu,
    now: now(),
    ...(options.memoryBytes !== undefined && { memoryBytes: options.memoryBytes }),
    ...(options.congestion !== undefined && { congestion: options.congestion }),
    ...(options.timers && { timers: options.timers }),
    ...(options.deviceLimits && { deviceLimits: options.deviceLimits }),
    ...(options.stackLimits && { stackLimits: options.stackLimits }),
    ...(tracing && { trace: tracing.trace }),
    ...(policy?.initial && { policy: policy.initial }),
    sink: {
      sendDatagram: (slot, length, endpoint) => {
        if (udp === undefined) host.memory.free(slot)
        else udp.send(slot, length, endpoint)
      },
      report: event => engine?.handleEvent(event),
      reportFlow: flow => engine?.owner?.handleFlow(flow),
      reportMtu: (peer, mtu) => engine?.handleMtu(peer, mtu),
    },
  })
  udp = await bindUdp({
    port: config.interface.listenPort ?? 0,
    ...(options.listenHost !== undefined && { host: options.listenHost }),
    memory: host.memory,
    sink: {
      handleDatagram: (slot, length, source) => {
        if (engine !== undefined) return engine.handleDatagram(slot, length, source)
        host.memory.free(slot)
        return false
      },
      handleError: error => engine?.handleUdpError(error),
      handleWritable: () => engine?.stackPort.changed(),
    },
  }).catch(async error => {
    await tracing?.close()
    throw error
  })
  tracing?.setPort(udp.port)
  try {
    engine = new Engine({ ...settings, host, udp, now, cryptoName: crypto.name as CryptoName, tracing })
  } catch (error) {
    host.close(now())
    await Promise.all([udp.close(), tracing?.close()])
    throw error
  }
  for (const warning of warnings) engine.warn(warning)
  return engine
}
