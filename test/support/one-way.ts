// One connection that carries bytes one way between two stacks in virtual time, with the sender open to the test.
import type { CongestionControl, CongestionControlFactory } from '../../src/core/netstack/congestion.js'
import { createNewReno } from '../../src/core/netstack/newreno.js'
import type { Connection } from '../../src/core/netstack/tcp/connection.js'
import { createPair, type LinkOptions, type Pair } from './netstack-pair.js'

export interface OneWay {
  readonly pair: Pair
  readonly sender: Connection
  /** Bytes that the receiver has read. */
  readonly received: number
  /** The receiver has read everything. */
  readonly done: boolean
  /** Runs until everything has arrived; returns the milliseconds that took. */
  finish(limit?: number): number
  /** Writes more. */
  write(bytes: number): void
}

export interface OneWayOptions {
  bytes: number
  seed?: number
  forward?: LinkOptions
  back?: LinkOptions
  congestion?: CongestionControlFactory
  /** The receiver reads; true at first. */
  reading?: () => boolean
}

export function startOneWay(options: OneWayOptions): OneWay {
  const forward = options.forward ?? { delay: 50 }
  const pair = createPair({
    seed: options.seed ?? 1,
    slots: 32768,
    forward,
    back: options.back ?? { delay: forward.delay ?? 0 },
    a: { congestion: options.congestion ?? createNewReno },
  })
  let received = 0
  let wanted = options.bytes
  let written = 0
  const chunk = new Uint8Array(65536)
  pair.b.stack.listen({ port: 80 }, connection => ({
    connected() {},
    readable() {
      if (options.reading?.() === false) return
      for (let slab = connection.read(); slab; slab = connection.read()) received += slab.length
    },
    writable() {},
    closed() {},
  }))
  function pump(): void {
    while (written < wanted) {
      const next = chunk.subarray(0, Math.min(chunk.length, wanted - written))
      const taken = sender.write(next, 0, pair.now)
      written += taken
      if (taken < next.length) break
    }
  }
  const events = { connected: pump, writable: pump, readable() {}, closed() {} }
  const sender = pair.a.stack.connect({ address: pair.b.address, port: 80 }, events, pair.now) as Connection
  return {
    pair,
    sender,
    get received() {
      return received
    },
    get done() {
      return received === wanted
    },
    finish(limit = 600_000) {
      const started = pair.now
      if (!pair.run(() => received === wanted, started + limit)) throw new Error(`${received} of ${wanted} arrived`)
      return pair.now - started
    },
    write(bytes) {
      wanted += bytes
      pump()
    },
  }
}

/** Which segment of data a packet is, counted from 0 in the order of first transmission; −1 for others. */
export function dataCounter(): (packet: Uint8Array) => { index: number; copy: number } {
  const seen = new Map<number, { index: number; copy: number }>()
  return packet => {
    const view = new DataView(packet.buffer, packet.byteOffset)
    const headers = 20 + ((view.getUint8(32) >> 4) << 2)
    if (packet.length <= headers) return { index: -1, copy: 0 }
    const sequence = view.getUint32(24)
    const known = seen.get(sequence)
    if (known !== undefined) {
      known.copy++
      return known
    }
    const first = { index: seen.size, copy: 0 }
    seen.set(sequence, first)
    return first
  }
}

/** A controller of a fixed window and rate that keeps what it is told. */
export function createFixed(window: number, pacingRate = Infinity, more: Partial<CongestionControl> = {}) {
  const fixed: CongestionControl = {
    name: 'fixed',
    window,
    slowStartThreshold: window,
    pacingRate,
    governsRecovery: true,
    deadline: Infinity,
    handleDeadline() {},
    onSent() {},
    onAck() {},
    onSegmentLost() {},
    onLoss() {},
    onRecovered() {},
    onTimeout() {},
    onIdle() {},
    onSpurious() {},
    setSegmentSize() {},
  }
  // Getters among `more` stay what they are.
  Object.defineProperties(fixed, Object.getOwnPropertyDescriptors(more))
  return () => fixed
}
