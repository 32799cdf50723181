// Random and mutated packets, most with good checksums, thrown at a stack amid real traffic: nothing throws, spins or leaks.
import { expect, test } from 'vitest'
import { noSlot } from '../../../src/core/base/packet-memory.js'
import { packetHeadroom, type TcpConnection, type TcpEvents } from '../../../src/core/netstack/stack.js'
import { checksumOf, onesSum } from '../../../src/core/wire/checksum.js'
import { createIpHeader, parseIp, pseudoHeaderSum } from '../../../src/core/wire/ip.js'
import { nodeCrypto } from '../../../src/node/crypto/node.js'
import { createNetwork } from '../../../src/testing/index.js'

interface Owner extends TcpEvents {
  c?: TcpConnection
  done?: boolean
}

// SEEDS=1,2,3 COUNT=200000 for a longer run.
const seeds = (process.env.SEEDS ?? '1').split(',').map(Number)
const count = Number(process.env.COUNT ?? 40_000)

for (const seed of seeds)
  test(`fuzz ${seed}`, { timeout: 300000 }, () => {
    const net = createNetwork({
      seed,
      crypto: nodeCrypto,
      path: { delay: 5, jitter: 3, loss: 0.01, duplicate: 0.01 },
      host: {
        memoryBytes: 8 * 1024 * 1024,
        stackLimits: {
          maxReceiveBuffer: 1 << 20,
          maxSendBuffer: 1 << 20,
          backlog: 64,
          connections: 300,
          orphans: 20,
          timeWait: 50,
        },
      },
    })
    const { clock, a, b, random } = net
    const corpus: Uint8Array[] = []
    const memory = b.host.memory
    const stack = b.host.stack
    const original = stack.handlePacket.bind(stack)
    let injecting = false
    stack.handlePacket = (slot: number, offset: number, length: number, path: number, now: number) => {
      if (!injecting && path >= 0) {
        const p = memory.u8.slice(offset, offset + length)
        if (corpus.length < 400) corpus.push(p)
        else corpus[random.integer(400)] = p
      }
      original(slot, offset, length, path, now)
    }
    // spin checks
    let pops = 0
    for (const h of [a, b]) {
      const dl = h.host.stack.deadlines
      const pd = dl.popDue.bind(dl)
      dl.popDue = (now: number) => {
        if (++pops > 5000) throw new Error('popDue loops')
        return pd.call(dl, now)
      }
      const ht = h.host.handleTimeout.bind(h.host)
      h.host.handleTimeout = (now: number, wall: number) => {
        pops = 0
        ht(now, wall)
        if (h.host.stack.nextDeadline() <= now)
          throw new Error(`stack deadline stuck ${h.host.stack.nextDeadline()} ${now}`)
      }
    }
    const live: TcpConnection[] = []
    const owner = (h: typeof a): Owner => {
      const o: Owner = {
        connected() {
          pump()
        },
        readable() {
          if (random.next() < 0.8)
            for (;;) {
              const s = o.c?.read()
              if (s === undefined) break
              if (s === null) {
                if (random.next() < 0.5) o.c?.end(clock.now)
                break
              }
            }
          h.changed()
        },
        writable() {
          pump()
        },
        closed() {
          o.done = true
        },
      }
      const pump = () => {
        if (o.done || !o.c) return
        const n = random.integer(20000)
        o.c.write(new Uint8Array(n), 0, clock.now)
        h.changed()
      }
      return o
    }
    for (const h of [a, b]) {
      h.host.stack.listen({ port: 80 }, c => {
        const o = owner(h)
        o.c = c
        c.setKeepAlive(random.next() < 0.5, 1000, clock.now)
        live.push(c)
        return o
      })
      h.host.stack.bindUdp({ port: 53 }, { message: () => {}, error: () => {} })
    }
    const dial = (h: typeof a, o6 = false) => {
      const other = h === a ? b : a
      const o = owner(h)
      try {
        o.c = h.host.stack.connect(
          {
            address: random.next() < 0.1 ? h.address : o6 ? other.address6 : other.address,
            port: random.next() < 0.9 ? 80 : 81,
            timeout: 3000,
          },
          o,
          clock.now,
        )
        live.push(o.c)
      } catch (e) {
        if (!(e as { code?: string }).code) throw e
      }
      h.changed()
    }
    dial(a)
    clock.runUntil(200)
    const fix = (slot: number, length: number) => {
      // recompute IP and TCP/UDP/ICMP checksums so that mutations get past them
      const off = slot + packetHeadroom
      const v = memory.u8[off]! >> 4
      if (v === 4 && length >= 20) {
        const hl = Math.min((memory.u8[off]! & 15) * 4, length)
        memory.view.setUint16(off + 10, 0)
        memory.view.setUint16(off + 10, checksumOf(onesSum(memory, off, hl & ~1)))
      }
      const ip = createIpHeader()
      if (parseIp(memory, off, length, ip) !== undefined) return
      const at = ip.protocol === 6 ? 16 : ip.protocol === 17 ? 6 : ip.protocol === 1 || ip.protocol === 58 ? 2 : -1
      if (at < 0 || ip.payloadLength < at + 2) return
      memory.view.setUint16(ip.payload + at, 0)
      const pseudo = ip.protocol === 1 ? 0 : pseudoHeaderSum(ip.source, ip.destination, ip.protocol, ip.payloadLength)
      memory.view.setUint16(ip.payload + at, checksumOf(pseudo + onesSum(memory, ip.payload, ip.payloadLength)))
    }
    const inject = () => {
      const slot = memory.alloc()
      if (slot === noSlot) return
      const base = corpus[random.integer(corpus.length)]!
      let length = base.length
      const off = slot + packetHeadroom
      memory.u8.set(base, off)
      const v4 = base[0]! >> 4 === 4
      const hl = v4 ? 20 : 40
      const r = random.next()
      if (r < 0.1) {
        for (let i = 0; i < length; i++) memory.u8[off + i] = random.integer(256)
        memory.u8[off] = v4 ? 0x45 : 0x60
      } else if (r < 0.4) {
        for (let n = 1 + random.integer(4); n > 0; n--)
          memory.u8[off + random.integer(Math.min(length, hl + 32))] = random.integer(256)
      } else if (base[v4 ? 9 : 6] === 6) {
        const t = off + hl
        const which = random.integer(8)
        const jitter = () => (random.integer(4) === 0 ? random.integer(2 ** 31) : random.integer(3000) - 1500)
        if (which & 1) memory.view.setInt32(t + 4, (memory.view.getInt32(t + 4) + jitter()) | 0)
        if (which & 2) memory.view.setInt32(t + 8, (memory.view.getInt32(t + 8) + jitter()) | 0)
        if (which & 4)
          memory.u8[t + 13] = random.next() < 0.05 ? random.integer(64) : 16 + (random.next() < 0.05 ? 1 : 0)
        if (random.next() < 0.3) memory.view.setUint16(t + 14, random.integer(3) * random.integer(40000))
        if (random.next() < 0.1) memory.view.setUint16(t, random.integer(65536))
        if (random.next() < 0.3)
          for (let i = 0; i < 4; i++)
            memory.u8[t + 20 + random.integer(Math.max(1, (memory.u8[t + 12]! >> 4) * 4 - 20))] = random.integer(256)
        if (random.next() < 0.1) {
          length = hl + 20 + random.integer(Math.max(1, length - hl - 19))
          if (v4) memory.view.setUint16(off + 2, length)
          else memory.view.setUint16(off + 4, length - 40)
        }
      }
      if (random.next() < 0.9) fix(slot, length)
      if (random.next() < 0.02 && v4) {
        // an ICMP error quoting one of ours reversed
        const q = base.slice(0, 28)
        const swap = (i: number, j: number, n: number) => {
          for (let k = 0; k < n; k++) {
            const x = q[i + k]!
            q[i + k] = q[j + k]!
            q[j + k] = x
          }
        }
        swap(12, 16, 4)
        swap(20, 22, 2)
        q.set(base.slice(28, 32), 24)
        memory.u8.set(base.slice(0, 20), off)
        memory.u8[off + 9] = 1
        memory.u8[off + 20] = 3
        memory.u8[off + 21] = random.integer(6)
        memory.view.setUint16(off + 24, 0)
        memory.view.setUint16(off + 26, random.integer(3) * random.integer(2000))
        memory.u8.set(q, off + 28)
        length = 56
        memory.view.setUint16(off + 2, 56)
        fix(slot, 56)
      }
      injecting = true
      stack.handlePacket(slot, off, length, 1, clock.now)
      injecting = false
      b.changed()
    }
    for (let i = 0; i < count; i++) {
      inject()
      if (random.next() < 0.01) dial(random.next() < 0.5 ? a : b, random.next() < 0.3)
      if (random.next() < 0.02 && live.length > 0) {
        const c = live.splice(random.integer(live.length), 1)[0]!
        const x = random.next()
        if (x < 0.3) c.destroy(clock.now)
        else if (x < 0.5) c.reset(clock.now)
        else {
          c.end(clock.now)
          live.push(c)
        }
        a.changed()
        b.changed()
      }
      if (i % 5 === 0) {
        const at = clock.now
        let steps = 0
        const until = at + random.integer(20)
        while (clock.step(until))
          if (++steps > 20000) throw new Error(`spins at ${clock.now} ${JSON.stringify(b.host.stack.stats())}`)
      }
    }
    for (const c of live) c.destroy(clock.now)
    a.changed()
    b.changed()
    let steps = 0
    const end = clock.now + 400_000
    while (clock.step(end)) if (++steps > 3_000_000) throw new Error('spins at end')
    expect(b.host.stack.stats().reassemblySlots).toBe(0)
    expect(b.host.memory.inUse).toBe(0)
    expect(a.host.memory.inUse).toBe(0)
    a.host.close(clock.now)
    b.host.close(clock.now)
    expect(b.host.memory.inUse).toBe(0)
  })
