// Found by a hostile review: what a peer, or time itself, must not be able to do to the stack.
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../../src/core/base/address.js'
import { createPacketMemory } from '../../../src/core/base/packet-memory.js'
import { PacketRing } from '../../../src/core/netstack/packet-ring.js'
import { packetHeadroom, Stack, type StackOptions } from '../../../src/core/netstack/stack.js'
import { checksumOf, onesSum } from '../../../src/core/wire/checksum.js'
import { writeIcmpHeader } from '../../../src/core/wire/icmp.js'
import { protocolTcp, protocolUdp, pseudoHeaderSum, wordsOf, writeIpHeader } from '../../../src/core/wire/ip.js'
import { tcpChecksumOffset, writeTcpHeader } from '../../../src/core/wire/tcp.js'
import { writeUdpHeader } from '../../../src/core/wire/udp.js'
import { createRandom, keyedHash, randomBytes } from '../../support/netstack-pair.js'
import { Recorder } from '../../support/tcp-endpoints.js'
import { dialled } from '../../support/tcp-handshakes.js'

const ip = (text: string) => parseAddress(text)!

interface Sent {
  readonly bytes: Uint8Array
  readonly path: number
}

/** A stack at 10.7.0.1; paths: 2 for 10.7.0.2, 3 for everything else. */
function createStack(options: Partial<StackOptions> = {}) {
  const memory = createPacketMemory(new ArrayBuffer(4096 * 2048), 2048)
  const sent: Sent[] = []
  const stack = new Stack({
    memory,
    random: randomBytes(createRandom(1)),
    keyedHash: keyedHash(1),
    addresses: [{ address: ip('10.7.0.1'), length: 24 }],
    mtu: 1420,
    route: (bytes, offset) => (bytes[offset + 3] === 2 ? 2 : 3),
    pathReady: () => true,
    wakePath: () => {},
    sink: {
      sendPacket(slot, offset, length, path) {
        sent.push({ bytes: memory.u8.slice(offset, offset + length), path })
        memory.free(slot)
      },
    },
    ...options,
  })
  const put = (path: number, now: number, write: (packet: number) => number) => {
    const slot = memory.alloc()
    const length = write(slot + packetHeadroom)
    stack.handlePacket(slot, slot + packetHeadroom, length, path, now)
  }
  const tcp = (
    from: string,
    fromPort: number,
    port: number,
    flags: number,
    path: number,
    now: number,
    seq = 1,
    ack = 0,
  ) =>
    put(path, now, packet => {
      const [source, destination] = [wordsOf(ip(from)), wordsOf(ip('10.7.0.1'))]
      writeTcpHeader(memory, packet + 20, fromPort, port, seq, ack, 20, flags, 65535)
      const sum = pseudoHeaderSum(source, destination, protocolTcp, 20) + onesSum(memory, packet + 20, 20)
      memory.view.setUint16(packet + 20 + tcpChecksumOffset, checksumOf(sum))
      writeIpHeader(memory, packet, 4, 20, protocolTcp, 64, source, destination)
      return 40
    })
  const udp = (from: string, fromPort: number, port: number, path: number, now: number) =>
    put(path, now, packet => {
      const [source, destination] = [wordsOf(ip(from)), wordsOf(ip('10.7.0.1'))]
      writeUdpHeader(memory, packet + 20, fromPort, port, 4, source, destination)
      writeIpHeader(memory, packet, 4, 12, protocolUdp, 64, source, destination)
      return 32
    })
  /** An ICMP error from `from` that quotes `quoted`. */
  const icmpError = (from: string, type: number, rest: number, quoted: Uint8Array, path: number, now: number) =>
    put(path, now, packet => {
      const [source, destination] = [wordsOf(ip(from)), wordsOf(ip('10.7.0.1'))]
      memory.u8.set(quoted, packet + 28)
      writeIcmpHeader(memory, packet + 20, 4, type, rest, quoted.length, source, destination)
      writeIpHeader(memory, packet, 4, 8 + quoted.length, 1, 64, source, destination)
      return 28 + quoted.length
    })
  const ping = (from: string, path: number, now: number) =>
    put(path, now, packet => {
      const [source, destination] = [wordsOf(ip(from)), wordsOf(ip('10.7.0.1'))]
      writeIcmpHeader(memory, packet + 20, 4, 8 << 8, 1, 0, source, destination)
      writeIpHeader(memory, packet, 4, 8, 1, 64, source, destination)
      return 28
    })
  return { memory, stack, sent, tcp, udp, icmpError, ping }
}

describe('time', () => {
  test('a keepalive that falls due at a fractional time is met once, not for ever', () => {
    const s = createStack()
    const { deadlines } = s.stack
    let pops = 0
    const popDue = deadlines.popDue.bind(deadlines)
    Object.assign(deadlines, {
      popDue: (now: number) => {
        if (++pops > 1000) throw new Error('handleTimeout does not end')
        return popDue.call(deadlines, now)
      },
    })
    s.stack.listen({ port: 80 }, connection => {
      connection.setKeepAlive(true, 1000, 0)
      return new Recorder()
    })
    // The peer was last heard at h, where (h + 1000) - h rounds to less than 1000.
    let h = 0.1
    while (h + 1000 - h >= 1000) h += 0.1
    s.tcp('10.7.0.2', 4000, 80, 2, 2, h)
    s.stack.flush(h, 100)
    const iss = new DataView(s.sent[0]!.bytes.buffer).getInt32(24)
    s.tcp('10.7.0.2', 4000, 80, 16, 2, h, 2, (iss + 1) | 0)
    s.stack.flush(h, 100)
    for (let turns = 0; turns < 20 && s.stack.nextDeadline() < h + 5000; turns++) {
      const due = s.stack.nextDeadline()
      pops = 0
      s.stack.handleTimeout(due)
      s.stack.flush(due, 100)
    }
  })
})

describe('a closed window', () => {
  test('does not end an idle connection whose peer took the last byte and stayed closed', () => {
    const { s, c, owner } = dialled()
    s.send('. 1:1(0) ack 1 win 0')
    c.write(Uint8Array.of(1), 0, s.now)
    s.wait(250).expect('. 1:2(1) ack 1')
    s.skip().send('. 1:1(0) ack 2 win 0')
    s.expectNothing()
    s.wait(3600_000)
    expect(owner.log).not.toContain('closed ETIMEDOUT')
    expect(owner.isClosed).toBe(false)
  })
})

describe('a peer whose AllowedIPs are 0.0.0.0/0', () => {
  test.each([
    ['our own address', '10.7.0.1'],
    ['loopback', '127.0.0.1'],
  ])('cannot speak as %s (X5)', (_, from) => {
    const s = createStack()
    let accepted = 0
    s.stack.listen({ port: 80 }, () => {
      accepted++
      return new Recorder()
    })
    s.tcp(from, 4000, 80, 2, 3, 0)
    s.stack.flush(0, 100)
    const answer = s.sent[0]
    if (answer !== undefined) {
      const iss = new DataView(answer.bytes.buffer).getInt32(24)
      s.tcp(from, 4000, 80, 16, 3, 0, 2, (iss + 1) | 0)
      s.stack.flush(0, 100)
    }
    expect(accepted).toBe(0)
    const messages: string[] = []
    s.stack.bindUdp({ port: 53 }, { message: (_bytes, address) => messages.push(address.join('.')), error: () => {} })
    s.udp(from, 9, 53, 3, 0)
    s.stack.flush(0, 100)
    expect(messages).toEqual([])
  })
})

describe("an ICMP error from one peer about another peer's flow", () => {
  test('is not believed by a connected UDP socket', () => {
    const s = createStack()
    const errors: string[] = []
    const socket = s.stack.bindUdp({ port: 5000 }, { message: () => {}, error: code => errors.push(code) })
    socket.connect(ip('10.7.0.2'), 53)
    socket.send(new Uint8Array(20), ip('10.7.0.2'), 53, 0)
    s.stack.flush(0, 100)
    s.icmpError('10.7.0.3', (3 << 8) | 3, 0, s.sent[0]!.bytes, 3, 1)
    s.stack.flush(1, 100)
    expect(errors).toEqual([])
  })

  test('does not end a dial, nor narrow its path', () => {
    const s = createStack()
    const owner = new Recorder()
    owner.connection = s.stack.connect({ address: ip('10.7.0.2'), port: 80 }, owner, 0)
    s.stack.flush(0, 100)
    s.icmpError('10.7.0.3', (3 << 8) | 4, 576, s.sent[0]!.bytes, 3, 1)
    expect(s.stack.paths.mtu(2, 1)).toBe(1420)
    s.icmpError('10.7.0.3', (3 << 8) | 1, 0, s.sent[0]!.bytes, 3, 1)
    s.stack.flush(1, 100)
    expect(owner.isClosed).toBe(false)
  })
})

describe('memory', () => {
  test('a datagram that waits for its path when the stack closes gives its slot back', () => {
    const s = createStack({ pathReady: () => false })
    const socket = s.stack.bindUdp({ port: 7 }, { message: () => {}, error: () => {} })
    socket.send(new Uint8Array(10), ip('10.7.0.2'), 7, 0)
    s.stack.close(0)
    expect(s.memory.inUse).toBe(0)
  })

  test('the queue of replies keeps its order and its bound although it is never empty', () => {
    const s = createStack()
    for (let i = 0; i < 10; i++) s.ping('10.7.0.2', 2, 0)
    for (let turn = 0; turn < 5000; turn++) {
      for (let i = 0; i < 10; i++) s.ping('10.7.0.2', 2, turn)
      s.stack.flush(turn, 10)
      s.sent.length = 0
    }
    expect(s.stack.output.waiting).toBe(10)
    for (let i = 0; i < 1000; i++) s.ping('10.7.0.2', 2, 5000)
    expect(s.stack.output.waiting).toBe(128)
  })

  test('packets that wait leave in the order in which they came, however their queue wraps and grows', () => {
    const ring = new PacketRing(1000)
    let next = 0
    let first = 0
    for (let round = 1; round < 100; round++) {
      for (let i = 0; i < round * 7 && ring.room > 0; i++) ring.push(next, next + 1, next++ + 2)
      for (let i = 0; i < round * 5 && ring.count > 0; i++, first++, ring.shift()) {
        expect([ring.slot, ring.length, ring.path]).toEqual([first, first + 1, first + 2])
      }
      expect(ring.count).toBe(next - first)
    }
    expect(ring.count).toBeLessThanOrEqual(1000)
  })
})
