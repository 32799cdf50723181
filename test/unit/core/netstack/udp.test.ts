import { describe, expect, test } from 'vitest'
import { formatAddress, parseAddress } from '../../../../src/core/base/address.js'
import type { SocketCode, UdpEvents } from '../../../../src/core/netstack/stack.js'
import { decode, icmpPacket, udpPacket } from '../../../support/packets.js'
import { bytes } from '../../../support/tcp-endpoints.js'
import { TcpScript } from '../../../support/tcp-script.js'

class Inbox implements UdpEvents {
  readonly messages: { text: string; address: string; port: number }[] = []
  readonly errors: SocketCode[] = []
  message(content: Uint8Array, address: Uint8Array, port: number): void {
    this.messages.push({ text: new TextDecoder().decode(content), address: formatAddress(address), port })
  }
  error(code: SocketCode): void {
    this.errors.push(code)
  }
}

for (const family of [4, 6] as const) {
  describe(`UDP over IPv${family} (H-udp)`, () => {
    test('sends and receives', () => {
      const s = new TcpScript({ family })
      const inbox = new Inbox()
      const socket = s.stack.bindUdp({ port: 5000 }, inbox)
      expect(socket.send(bytes('hello'), s.peer, 53, s.now)).toBe(true)
      s.flush()
      const sent = decode(s.others[0] as Uint8Array)
      expect(sent.udp).toEqual({ sourcePort: 5000, destinationPort: 53, payload: bytes('hello') })
      expect(sent.source).toEqual(s.ours)
      s.sendPacket(udpPacket(s.peer, 53, s.ours, 5000, bytes('there')))
      expect(inbox.messages).toEqual([{ text: 'there', address: formatAddress(s.peer), port: 53 }])
      expect(s.memory.inUse).toBe(0)
    })

    test('answers a closed port with port unreachable that quotes the datagram, so many a second', () => {
      const s = new TcpScript({ family, limits: { repliesPerSecond: 2 } })
      const datagram = udpPacket(s.peer, 9, s.ours, 77, bytes('x'.repeat(1300)))
      for (let i = 0; i < 5; i++) s.sendPacket(datagram)
      expect(s.others).toHaveLength(2)
      const answer = decode(s.others[0] as Uint8Array)
      expect(answer.icmp?.kind).toBe('port-unreachable')
      expect((s.others[0] as Uint8Array).length).toBe(family === 4 ? 576 : 1280)
      const quoted = answer.icmp?.content as Uint8Array
      expect(quoted).toEqual(datagram.subarray(0, quoted.length))
      expect(s.memory.inUse).toBe(0)
    })

    test('a connected socket hears its peer only, and that it is not there', () => {
      const s = new TcpScript({ family })
      const inbox = new Inbox()
      const socket = s.stack.bindUdp({ port: 5000 }, inbox)
      socket.connect(s.peer, 53)
      socket.send(bytes('q'), s.peer, 53, s.now)
      s.flush()
      s.sendPacket(udpPacket(s.peer, 54, s.ours, 5000, bytes('not from 53')))
      expect(inbox.messages).toEqual([])
      const [type, code] = family === 4 ? [3, 3] : [1, 4]
      s.sendPacket(icmpPacket(s.peer, s.ours, type, code, 0, s.others[0] as Uint8Array))
      expect(inbox.errors).toEqual(['ECONNREFUSED'])
    })

    test('checks the checksum; over IPv6 there must be one', () => {
      const s = new TcpScript({ family })
      const inbox = new Inbox()
      s.stack.bindUdp({ port: 5000 }, inbox)
      const good = udpPacket(s.peer, 1, s.ours, 5000, bytes('abc'))
      const flipped = good.slice()
      flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1
      const none = good.slice()
      none[good.length - 3 - 2] = 0
      none[good.length - 3 - 1] = 0
      s.sendPacket(flipped).sendPacket(none)
      expect(inbox.messages).toHaveLength(family === 4 ? 1 : 0)
      expect(s.stack.counters.udpChecksum).toBe(family === 4 ? 1 : 2)
    })
  })
}

describe('a UDP socket', () => {
  test('answers from the address that was asked (H-udp)', () => {
    const second = parseAddress('10.7.0.99') as Uint8Array
    const ours = parseAddress('10.7.0.1') as Uint8Array
    const addresses = [ours, second].map(address => ({ address, length: 24 }))
    const s = new TcpScript({ addresses })
    const socket = s.stack.bindUdp({ port: 53 }, new Inbox())
    s.sendPacket(udpPacket(s.peer, 1234, second, 53, bytes('q')))
    socket.send(bytes('a'), s.peer, 1234, s.now)
    socket.send(bytes('a'), s.peer, 1235, s.now)
    s.flush()
    expect(s.others.map(packet => formatAddress(decode(packet).source))).toEqual(['10.7.0.99', '10.7.0.1'])
  })

  test('holds so many datagrams of a path between two flushes and drops the others (H-udp)', () => {
    const s = new TcpScript({ limits: { udpQueue: 6 } })
    const inbox = new Inbox()
    s.stack.bindUdp({ port: 5000 }, inbox)
    const packet = udpPacket(s.peer, 1, s.ours, 5000, bytes('abc'))
    for (let i = 0; i < 5; i++) {
      const slot = s.memory.alloc()
      s.memory.u8.set(packet, slot + 16)
      s.stack.handlePacket(slot, slot + 16, packet.length, 1, s.now)
    }
    s.flush()
    expect(inbox.messages).toHaveLength(3)
    expect(s.stack.counters.udpQueueFull).toBe(2)
  })

  test('says no to more than the queue holds (H-udp)', () => {
    const s = new TcpScript({ limits: { outputQueue: 2 } })
    const socket = s.stack.bindUdp({}, new Inbox())
    expect(socket.port).toBeGreaterThan(1023)
    expect(socket.send(new Uint8Array(1472), s.peer, 1, s.now)).toBe(true)
    expect(socket.send(new Uint8Array(1), s.peer, 1, s.now)).toBe(true)
    expect(socket.send(new Uint8Array(1), s.peer, 1, s.now)).toBe(false)
    s.flush()
    expect(s.others).toHaveLength(2)
  })

  test('waits for a path that is not up, within a bound, and gives its slots back if it never is', () => {
    const s = new TcpScript({ limits: { pathQueue: 2 } })
    s.pathUp = false
    const socket = s.stack.bindUdp({}, new Inbox())
    for (let i = 0; i < 3; i++) socket.send(bytes('x'), s.peer, 1, s.now)
    s.flush()
    expect(s.others).toHaveLength(0)
    expect(s.stack.counters.pathQueueFull).toBe(1)
    s.pathUp = true
    s.stack.handlePathUp(1, s.now)
    s.flush()
    expect(s.others).toHaveLength(2)
    s.pathUp = false
    socket.send(bytes('x'), s.peer, 1, s.now)
    s.flush()
    expect(s.memory.inUse).toBe(1)
    s.stack.handlePathDown(1, s.now)
    expect(s.memory.inUse).toBe(0)
  })

  test('is refused a port that is taken, an address that is not ours, and a peer without a route (W22)', () => {
    const s = new TcpScript({ route: () => -1 })
    const socket = s.stack.bindUdp({ port: 7 }, new Inbox())
    const refused = (code: string) => expect.objectContaining({ code })
    expect(() => s.stack.bindUdp({ port: 7 }, new Inbox())).toThrow(refused('EADDRINUSE'))
    expect(() => s.stack.bindUdp({ address: s.peer }, new Inbox())).toThrow(refused('EADDRNOTAVAIL'))
    expect(() => socket.send(bytes('x'), s.peer, 1, s.now)).toThrow(refused('ENETUNREACH'))
    socket.close()
    socket.close()
    expect(s.stack.bindUdp({ port: 7 }, new Inbox()).port).toBe(7)
    expect(s.stack.stats().udpSockets).toBe(1)
  })

  test('talks to another one on the same host (H-udp) (H-loopback)', () => {
    const s = new TcpScript()
    const inbox = new Inbox()
    s.stack.bindUdp({ port: 5000 }, inbox)
    s.stack.bindUdp({ port: 5001 }, new Inbox()).send(bytes('me'), s.ours, 5000, s.now)
    s.flush()
    expect(inbox.messages).toEqual([{ text: 'me', address: '10.7.0.1', port: 5001 }])
    expect(s.others).toHaveLength(0)
  })
})
