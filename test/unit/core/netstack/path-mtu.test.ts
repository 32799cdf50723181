// What passes on a path: what routers say of it, and what silence says where they do not.
import { describe, expect, it } from 'vitest'
import type { Prefix } from '../../../../src/core/base/address.js'
import { parsePrefix } from '../../../../src/core/base/address.js'
import { PathMtu } from '../../../../src/core/netstack/path-mtu.js'
import type { TcpConnection } from '../../../../src/core/netstack/stack.js'
import { createPair, type PairOptions } from '../../../support/netstack-pair.js'
import { icmpPacket, udpPacket } from '../../../support/packets.js'
import { Recorder, StreamOwner } from '../../../support/tcp-endpoints.js'
import { dialled, payload } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

const full = 1420

describe("a router's packet-too-big", () => {
  const told = (version: 4 | 6, mtu: number, length = full) => {
    const path = new PathMtu()
    return [path.believe(version, mtu, length, full, 0), path.current(full, 1)]
  }

  it('is believed down to 576 over IPv4 and 1280 over IPv6, and never if it says more than before (N8)', () => {
    expect(told(4, 1300)).toEqual([true, 1300])
    expect(told(4, 68)).toEqual([true, 576])
    expect(told(4, 1420)).toEqual([false, 1420])
    expect(told(6, 1280)).toEqual([true, 1280])
    expect(told(6, 1279)).toEqual([false, 1420])
    const path = new PathMtu()
    path.believe(4, 1000, full, full, 0)
    expect(path.believe(4, 1100, full, full, 1)).toBe(false)
    expect(path.current(full, 1)).toBe(1000)
  })

  it('without a size is taken for the next plateau below the packet that was dropped (N8)', () => {
    expect(told(4, 0)).toEqual([true, 1280])
    expect(told(4, 0, 1200)).toEqual([true, 1006])
    expect(told(4, 0, 600)).toEqual([true, 576])
    expect(told(6, 0)).toEqual([false, 1420])
  })

  it('is believed for ten minutes (N8)', () => {
    const path = new PathMtu()
    path.believe(4, 1000, full, full, 0)
    expect(path.current(full, 600_000)).toBe(1000)
    expect(path.current(full, 600_001)).toBe(full)
  })

  for (const family of [4, 6] as const) {
    it(`about a datagram narrows the path if that datagram left on it, over IPv${family} (N8) (H-udp)`, () => {
      const s = new TcpScript({ family })
      const socket = s.stack.bindUdp({ port: 5000 }, { message() {}, error() {} })
      socket.send(new Uint8Array(1400), s.peer, 53, s.now)
      s.flush()
      const sent = s.others[0] as Uint8Array
      const [type, code] = family === 4 ? [3, 4] : [2, 0]
      const tooBig = (quoted: Uint8Array, mtu: number) =>
        s.sendPacket(icmpPacket(s.peer, s.ours, type, code, mtu, quoted.subarray(0, 100)))
      tooBig(udpPacket(s.ours, 5000, s.peer, 53, new Uint8Array(1401)), 1300)
      tooBig(udpPacket(s.ours, 5001, s.peer, 53, new Uint8Array(1400)), 1300)
      tooBig(sent, 1500)
      expect(s.stack.paths.mtu(1, s.now)).toBe(1500)
      expect(s.stack.counters.icmpNotBelieved).toBe(3)
      tooBig(sent, 1300)
      expect(s.stack.paths.mtu(1, s.now)).toBe(1300)
    })

    it(`about an echo request fails it, and narrows the path, over IPv${family} (N8) (H-icmp)`, () => {
      const s = new TcpScript({ family })
      const results: unknown[] = []
      s.stack.ping(s.peer, { size: 1400 }, result => results.push(result), s.now)
      s.flush()
      const [type, code] = family === 4 ? [3, 4] : [2, 0]
      s.sendPacket(icmpPacket(s.peer, s.ours, type, code, 1300, (s.others[0] as Uint8Array).subarray(0, 100)))
      expect(results).toEqual([{ error: 'EMSGSIZE' }])
      expect(s.stack.paths.mtu(1, s.now)).toBe(1300)
    })

    it(`does not put an echo request in fragments that is to be whole, over IPv${family} (H-icmp)`, () => {
      const s = new TcpScript({ family })
      const ping = (size: number, whole: boolean) => {
        s.stack.ping(s.peer, { size, whole }, () => {}, s.now)
        s.flush()
        return s.others.splice(0).map(packet => packet.length)
      }
      const headers = family === 4 ? 28 : 48
      expect(ping(1500 - headers, true)).toEqual([1500])
      expect(() => ping(1501 - headers, true)).toThrow(expect.objectContaining({ code: 'EMSGSIZE' }))
      s.stack.paths.believeMtu(1, family, 1300, 1400, s.now)
      expect(ping(1400, false)).toHaveLength(2)
      expect(ping(1400, true)).toEqual([1400 + headers])
    })
  }

  it('about one flow narrows every flow of the path (N8)', () => {
    const { s, c: first } = dialled()
    const second = s.stack.connect({ address: s.peer, port: s.peerPort }, new Recorder(), s.now)
    s.skip()
    s.send('S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,wscale 7>')
    second.write(payload(5000), 0, s.now)
    s.skip()
    const quoted = s.lastPacket.subarray(0, 28)
    s.sendPacket(icmpPacket(s.peer, s.ours, 3, 4, 1000, quoted)).skip()
    first.write(payload(2000), 0, s.now)
    expect(s.take().map(line => /\((\d+)\)/.exec(line)?.[1])).toEqual(['960', '960', '80'])
  })
})

interface Upload extends PairOptions {
  readonly bytes?: number
}

/** Uploads from a to b; gives the pair, what a's owner was told, and b's half. */
function upload({ bytes = 300_000, ...options }: Upload) {
  const pair = createPair({
    ...options,
    forward: { delay: 25, ...options.forward },
    back: { delay: 25, ...options.back },
  })
  const now = () => pair.now
  const receiver = new StreamOwner(2, 1, 0, now)
  pair.b.stack.listen({ port: 80 }, connection => receiver.start(connection))
  const sender = new StreamOwner(1, 2, bytes, now)
  const dial = () => sender.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, sender, pair.now))
  return { pair, sender, receiver, dial, ended: () => receiver.ended }
}

describe('a black hole', () => {
  it('is found after two timeouts of a full segment while the peer is heard, and the flow goes on in smaller ones (N8)', () => {
    const { pair, dial, ended, receiver } = upload({ forward: { mtu: 1300 } })
    const started = pair.now
    dial()
    expect(pair.run(ended, started + 10_000)).toBe(true)
    expect(receiver.wrong).toBe(-1)
    expect(pair.a.stack.counters).toMatchObject({ pathMtuBlackHoles: 1 })
    // The RTO after a round trip of 50 ms is 250 ms, then 500: with the transfer itself it took no longer than that.
    expect(pair.now - started).toBeLessThan(2500)
    expect(pair.a.stack.paths.mtu(1, pair.now)).toBeGreaterThanOrEqual(1280)
    pair.advance(60_000)
    expect(pair.a.reports).toEqual([1280])
  })

  it('under 1280 is met by 576 over IPv4, and then by what fits best (N8)', () => {
    const { pair, dial, ended } = upload({ forward: { mtu: 1100 }, bytes: 3_000_000 })
    dial()
    expect(pair.run(ended, pair.now + 120_000)).toBe(true)
    expect(pair.a.stack.counters.pathMtuBlackHoles).toBe(2)
    const mtu = pair.a.stack.paths.mtu(1, pair.now)
    expect(mtu).toBeGreaterThanOrEqual(576)
    expect(mtu).toBeLessThanOrEqual(1100)
    pair.advance(60_000)
    expect(pair.a.reports).toHaveLength(1)
  })

  it('over IPv6 is never met by less than 1280 (N8)', () => {
    const { pair, dial, ended } = upload({ family: 6, forward: { mtu: 1290 } })
    dial()
    expect(pair.run(ended, pair.now + 10_000)).toBe(true)
    expect(pair.a.stack.paths.mtu(1, pair.now)).toBe(1280)
    const narrower = upload({ family: 6, forward: { mtu: 1200 } })
    narrower.dial()
    expect(narrower.pair.run(narrower.ended, narrower.pair.now + 60_000)).toBe(false)
    expect(narrower.pair.a.stack.paths.mtu(1, narrower.pair.now)).toBe(1280)
  })

  it('narrows the MSS of later SYNs, so that a download comes in segments that pass (N8)', () => {
    const { pair, dial, ended } = upload({ forward: { mtu: 1300 }, back: { mtu: 1300 } })
    dial()
    pair.run(ended, pair.now + 10_000)
    const received = new StreamOwner(3, 4, 0, () => pair.now)
    pair.b.stack.listen({ port: 81 }, connection => new StreamOwner(4, 3, 200_000, () => pair.now).start(connection))
    received.connection = pair.a.stack.connect({ address: pair.b.address, port: 81 }, received, pair.now)
    const started = pair.now
    expect(pair.run(() => received.ended, started + 10_000)).toBe(true)
    expect(pair.b.stack.counters.tcpTimeouts).toBe(0)
    expect(pair.now - started).toBeLessThan(1000)
  })

  it('is not seen where the peer is not heard: a blackout (N8)', () => {
    let down = false
    const { pair, dial, ended } = upload({
      forward: { drop: () => down, rate: 1000 },
      back: { drop: () => down },
      bytes: 3_000_000,
    })
    dial()
    pair.run(() => false, pair.now + 1000)
    down = true
    pair.run(() => false, pair.now + 20_000)
    down = false
    expect(pair.run(ended, pair.now + 60_000)).toBe(true)
    expect(pair.a.stack.counters.tcpTimeouts).toBeGreaterThan(3)
    expect(pair.a.stack.counters.pathMtuBlackHoles).toBe(0)
  })

  it.each([
    ['is not seen in one flow while another brings segments as large to the same host', 0, 0],
    ['is seen in one flow though another brings large segments to another host behind the same peer', 1, 1],
  ])('%s (N8)', (_, other, holes) => {
    let victim = -1
    const hosts = ['10.7.0.2/32', '10.7.0.9/32'].map(parsePrefix)
    const pair = createPair({
      b: { addresses: hosts as Prefix[] },
      forward: {
        delay: 25,
        rate: 1000,
        drop: packet => packet.length > 1300 && new DataView(packet.buffer).getUint16(20) === victim,
      },
      back: { delay: 25 },
    })
    const now = () => pair.now
    pair.b.stack.listen({ port: 80 }, connection => {
      const owner = new StreamOwner(3, 1, 0, now)
      owner.connection = connection
      return owner
    })
    const dial = (host: number) => {
      const sender = new StreamOwner(1, 3, 100_000_000, now)
      const { address } = hosts[host] as Prefix
      sender.start(pair.a.stack.connect({ address, port: 80 }, sender, pair.now))
      return sender.connection as TcpConnection
    }
    const unlucky = dial(0)
    dial(other)
    pair.run(() => false, pair.now + 300)
    victim = unlucky.localPort
    pair.run(() => false, pair.now + 5000)
    expect(pair.a.stack.counters.tcpTimeouts).toBeGreaterThan(1)
    expect(pair.a.stack.counters.pathMtuBlackHoles).toBe(holes)
  })

  it('that is none is found out by the first probe, and nobody is told (N8)', () => {
    let dropFull = false
    const { pair, dial } = upload({
      forward: { drop: packet => dropFull && packet.length > 1300, rate: 1000 },
      bytes: 30_000_000,
    })
    dial()
    pair.run(() => false, pair.now + 500)
    dropFull = true
    pair.run(() => pair.a.stack.counters.pathMtuBlackHoles > 0, pair.now + 20_000)
    dropFull = false
    expect(pair.a.stack.paths.mtu(1, pair.now)).toBe(1280)
    pair.run(() => false, pair.now + 7000)
    expect(pair.a.stack.paths.mtu(1, pair.now)).toBe(full)
    expect(pair.a.reports).toEqual([])
  })

  it('is tried again after ten minutes, with one segment of data, until it passes (N8)', () => {
    let limit = 1300
    const large: number[] = []
    const { pair } = upload({
      forward: {
        drop: (packet, at) => {
          if (packet.length > 1300) large.push(at)
          return packet.length > limit
        },
      },
    })
    const sender = new Recorder()
    const c = pair.a.stack.connect({ address: pair.b.address, port: 80 }, sender, pair.now)
    const write = () => {
      c.write(payload(100_000), 0, pair.now)
      pair.run(() => c.bytesQueued === 0, pair.now + 60_000)
      expect(c.bytesQueued).toBe(0)
    }
    const minute = 60_000
    for (let i = 0; i < 20; i++) {
      write()
      pair.advance(1000)
    }
    large.length = 0
    for (let i = 0; i < 9; i++) {
      pair.advance(minute)
      write()
    }
    expect(large).toEqual([])
    pair.advance(minute)
    limit = full
    write()
    expect(large.length).toBeGreaterThan(0)
    expect(pair.a.stack.paths.mtu(1, pair.now)).toBe(full)
    expect(pair.a.stack.counters.pathMtuBlackHoles).toBe(1)
  })
})

describe('the search for what passes', () => {
  /** Probes of a path that carries `limit` bytes, until it settles; how many did not pass. */
  function search(path: PathMtu, limit: number, from: number) {
    let now = from
    let lost = 0
    for (let i = 0; i < 20 && path.probeAt !== Infinity && path.probeAt < from + 60_000; i++) {
      now = Math.max(now, path.probeAt)
      const length = path.nextProbe(full, now)
      path.probeSent(length, now)
      if (length <= limit) path.probePassed(length, full, now + 50)
      else {
        lost++
        path.probeLost(length, now + 50)
      }
    }
    return { lost, settledAt: now }
  }

  it.each([1400, 1300, 1281])('ends within 32 bytes of %i after few probes, and reports it once (N8)', limit => {
    const path = new PathMtu()
    expect(path.stepDown(4, full, false, 0)).toBe(true)
    const { lost, settledAt } = search(path, limit, 0)
    expect(lost).toBeLessThanOrEqual(5)
    expect(path.size).toBeGreaterThan(limit - 32)
    expect(path.size).toBeLessThanOrEqual(limit)
    expect(path.reportAt).toBeLessThanOrEqual(settledAt + 50)
    expect(path.takeReport()).toBe(path.size)
    expect(path.takeReport()).toBe(0)
  })

  it('finds the whole MTU again once the path carries it (N8)', () => {
    const path = new PathMtu()
    path.stepDown(4, full, false, 0)
    search(path, 1300, 0)
    expect(path.probeAt).toBeGreaterThan(600_000)
    search(path, full, path.probeAt)
    expect([path.size, path.probeAt, path.current(full, 1e6)]).toEqual([0, Infinity, full])
  })

  it('does not give up a narrow path by time alone: downloads cannot probe it (N8)', () => {
    const path = new PathMtu()
    path.stepDown(4, full, false, 0)
    expect(path.current(full, 3600_000)).toBe(1280)
  })
})

describe('a path that is gone for good', () => {
  it('leaves nothing behind: neither what waited for it nor what was learnt (N8)', () => {
    const s = new TcpScript()
    s.pathUp = false
    s.stack.bindUdp({}, { message() {}, error() {} }).send(new Uint8Array(10), s.peer, 53, s.now)
    s.flush()
    s.stack.paths.stepDownMtu(1, 4, 1500, false, s.now)
    s.stack.handlePathDown(1, s.now)
    expect([s.memory.inUse, s.stack.paths.mtu(1, s.now)]).toEqual([0, 1280])
    s.stack.handlePathDown(1, s.now, true)
    expect([s.stack.paths.mtu(1, s.now), s.stack.nextDeadline()]).toEqual([1500, Infinity])
  })
})
