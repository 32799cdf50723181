import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checksumOf, onesSum } from '../../../../src/core/wire/checksum.js'
import { createIcmpHeader, parseQuoted } from '../../../../src/core/wire/icmp.js'
import {
  addressOf,
  createIpHeader,
  isMapped,
  parseIp,
  pseudoHeaderSum,
  sameWords,
  wordsOf,
  writeIpHeader,
} from '../../../../src/core/wire/ip.js'
import {
  createTcpHeader,
  parseTcp,
  writeMss,
  writeSack,
  writeSackPermitted,
  writeTcpHeader,
  writeTimestamps,
  writeWindowScale,
} from '../../../../src/core/wire/tcp.js'
import { decode, icmpPacket, ipPacket, scratchMemory, udpPacket } from '../../../support/packets.js'

const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 })
const address6 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .filter(bytes => !(bytes.subarray(0, 10).every(byte => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff))
const addresses = fc.oneof(fc.tuple(address4, address4), fc.tuple(address6, address6))
const body = fc.uint8Array({ maxLength: 1200 })

describe('IP', () => {
  test('what is written is read again, and trailing bytes are no part of it', () => {
    fc.assert(
      fc.property(
        addresses,
        fc.nat(255),
        fc.nat(255),
        body,
        fc.nat(20),
        ([from, to], protocol, hops, payload, extra) => {
          if ([0, 43, 44, 60].includes(protocol)) return
          const memory = scratchMemory()
          const version = from.length === 4 ? 4 : 6
          writeIpHeader(memory, 32, version, payload.length, protocol, hops, wordsOf(from), wordsOf(to))
          const header = createIpHeader()
          const length = (version === 4 ? 20 : 40) + payload.length
          expect(parseIp(memory, 32, length + extra, header)).toBeUndefined()
          expect(header).toMatchObject({
            version,
            protocol,
            hopLimit: hops,
            payloadLength: payload.length,
            fragment: false,
          })
          expect(addressOf(header.source)).toEqual(from)
          expect(addressOf(header.destination)).toEqual(to)
          if (payload.length > 0) expect(parseIp(memory, 32, length - 1, header)).toBe('ipTruncated')
        },
      ),
    )
  })

  test('a packet of ours over IPv4 may not be fragmented (N8)', () => {
    const packet = ipPacket(Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8), 17, new Uint8Array(8))
    expect((packet[6] as number) & 0x40).toBe(0x40)
  })

  test('a wrong header checksum, length or version has its own reason', () => {
    const good = ipPacket(Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8), 17, new Uint8Array(8))
    const reason = (change: (packet: Uint8Array) => void) => {
      const memory = scratchMemory()
      const packet = good.slice()
      change(packet)
      memory.u8.set(packet)
      return parseIp(memory, 0, packet.length, createIpHeader())
    }
    expect(reason(() => {})).toBeUndefined()
    expect(reason(packet => packet.fill(1, 8, 9))).toBe('ipChecksum')
    expect(reason(packet => packet.fill(0x44, 0, 1))).toBe('ipHeader')
    expect(reason(packet => packet.fill(0x55, 0, 1))).toBe('ipVersion')
    expect(reason(packet => packet.fill(0xff, 2, 3))).toBe('ipTruncated')
    expect(parseIp(scratchMemory(), 0, 19, createIpHeader())).toBe('ipTruncated')
  })

  test('IPv4 options are skipped', () => {
    const memory = scratchMemory()
    memory.u8.set([0x46, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1, 1])
    memory.view.setUint16(10, checksumOf(onesSum(memory, 0, 24)))
    const header = createIpHeader()
    expect(parseIp(memory, 0, 28, header)).toBeUndefined()
    expect(header).toMatchObject({ payload: 24, payloadLength: 4, fragment: false })
  })

  test('IPv4 options that route by way of us, or that end outside, are refused', () => {
    const reason = (...options: number[]) => {
      const memory = scratchMemory()
      memory.u8.set([0x46, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, ...options])
      memory.view.setUint16(10, checksumOf(onesSum(memory, 0, 24)))
      return parseIp(memory, 0, 28, createIpHeader())
    }
    expect(reason(131, 3, 4, 0)).toBe('ipRouting')
    expect(reason(1, 137, 3, 4)).toBe('ipRouting')
    expect(reason(148, 4, 0, 0)).toBeUndefined()
    expect(reason(148, 5, 0, 0)).toBe('ipHeader')
    expect(reason(148, 1, 0, 0)).toBe('ipHeader')
    expect(reason(0, 131, 3, 4)).toBeUndefined()
  })

  describe('IPv6 extension headers', () => {
    const parse = (first: number, ...rest: number[]) => {
      const memory = scratchMemory()
      memory.u8.set([0x60, 0, 0, 0, 0, rest.length, first, 64])
      memory.u8[23] = 1
      memory.u8[39] = 2
      memory.u8.set(rest, 40)
      const header = createIpHeader()
      return { drop: parseIp(memory, 0, 40 + rest.length, header), header }
    }
    const zeros = (count: number) => new Array<number>(count).fill(0)

    test('are skipped to the upper layer (H-ipv6)', () => {
      const { drop, header } = parse(0, 60, 0, ...zeros(6), 43, 1, ...zeros(14), 17, 0, 0, 0, ...zeros(4), 9)
      expect(drop).toBeUndefined()
      expect(header).toMatchObject({
        protocol: 17,
        protocolAt: 40 + 8 + 16,
        payload: 40 + 8 + 16 + 8,
        payloadLength: 1,
      })
    })

    test('that nobody here knows, and hop-by-hop ones behind others, are an unknown protocol (H-ipv6)', () => {
      expect(parse(51, 17, 0, ...zeros(6)).header).toMatchObject({ protocol: 51, protocolAt: 6 })
      expect(parse(60, 0, 0, ...zeros(6), 17, 0, ...zeros(6)).header).toMatchObject({ protocol: 0, protocolAt: 40 })
    })

    test('with options: each says itself whether it may be skipped (RFC 8200, 4.2) (H-ipv6)', () => {
      const options = (type: number) => parse(60, 17, 0, 1, 0, type, 1, 0, 0, 9)
      expect(options(0x1e).drop).toBeUndefined()
      expect(options(0x5e)).toMatchObject({ drop: 'ipOption', header: { problem: -1 } })
      expect(options(0x9e)).toMatchObject({ drop: 'ipOption', header: { problem: 2, problemAt: 44 } })
      expect(options(0xde)).toMatchObject({ drop: 'ipOption', header: { problem: 2, problemAt: 44 } })
      expect(parse(60, 17, 0, 1, 4, 0, 0, 0, 0).drop).toBeUndefined()
      expect(parse(60, 17, 0, 1, 5, 0, 0, 0, 0).drop).toBe('ipOption')
    })

    test('of an atomic fragment make no fragment; others say which part it is (H-ipv6) (H-fragments)', () => {
      expect(parse(44, 17, 0, 0, 0, 1, 2, 3, 4, 9).header).toMatchObject({ fragment: false, protocol: 17 })
      expect(parse(44, 17, 0, 0, 9, 1, 2, 3, 4, 9).header).toMatchObject({
        fragment: true,
        fragmentOffset: 8,
        moreFragments: true,
        fragmentId: 0x01020304,
      })
    })

    test('that end outside, never end, or route on are dropped (H-ipv6)', () => {
      expect(parse(0, 17, 9, ...zeros(6)).drop).toBe('ipTruncated')
      expect(parse(0, 17).drop).toBe('ipTruncated')
      expect(parse(0, ...Array.from({ length: 20 }, () => [60, 0, ...zeros(6)]).flat()).drop).toBe('ipHeader')
      expect(parse(43, 17, 0, 0, 1, ...zeros(4))).toMatchObject({
        drop: 'ipRouting',
        header: { problem: 0, problemAt: 42 },
      })
    })

    test('a mapped address on the wire is dropped', () => {
      const memory = scratchMemory()
      memory.u8.set([0x60, 0, 0, 0, 0, 0, 59, 64])
      memory.u8.set([0xff, 0xff, 10, 0, 0, 1], 18)
      memory.u8[39] = 1
      expect(parseIp(memory, 0, 40, createIpHeader())).toBe('ipMapped')
    })
  })

  test('addresses as words are told apart', () => {
    fc.assert(
      fc.property(addresses, ([x, y]) => {
        expect(sameWords(wordsOf(x), wordsOf(y))).toBe(x.every((byte, i) => byte === y[i]))
        expect(isMapped(wordsOf(x))).toBe(x.length === 4)
      }),
    )
  })

  test('the pseudo header sums to what its bytes sum to', () => {
    fc.assert(
      fc.property(addresses, fc.nat(255), fc.nat(1500), ([from, to], protocol, length) => {
        const memory = scratchMemory()
        const bytes =
          from.length === 4
            ? [...from, ...to, 0, protocol, length >> 8, length & 255]
            : [...from, ...to, 0, 0, length >> 8, length & 255, 0, 0, 0, protocol]
        memory.u8.set(bytes)
        const sum = pseudoHeaderSum(wordsOf(from), wordsOf(to), protocol, length)
        // In one's complement 0xffff is zero too.
        expect(checksumOf(sum) % 0xffff).toBe(checksumOf(onesSum(memory, 0, bytes.length)) % 0xffff)
      }),
    )
  })
})

describe('TCP', () => {
  test('what is written is read again', () => {
    const port = fc.nat(65535)
    const word = fc.integer({ min: -0x80000000, max: 0x7fffffff })
    fc.assert(
      fc.property(
        port,
        port,
        word,
        word,
        fc.nat(63),
        port,
        word,
        word,
        (source, destination, seq, ack, flags, window, ts, echo) => {
          const memory = scratchMemory()
          writeTcpHeader(memory, 16, source, destination, seq, ack, 20 + 4 + 4 + 12 + 4 + 12, flags, window)
          writeMss(memory, 36, window)
          writeSackPermitted(memory, 40)
          writeTimestamps(memory, 44, ts, echo)
          writeWindowScale(memory, 56, 9)
          writeSack(memory, 60, Int32Array.of(seq, ack), 1)
          const header = createTcpHeader()
          expect(parseTcp(memory, 16, 56 + 5, header)).toBe(true)
          expect(header).toMatchObject({
            sourcePort: source,
            destinationPort: destination,
            sequence: seq,
            acknowledgment: ack,
            flags,
            window,
            payload: 16 + 56,
            payloadLength: 5,
            mss: window,
            windowScale: 9,
            sackPermitted: true,
            hasTimestamps: true,
            timestamp: ts,
            timestampEcho: echo,
            sackCount: 1,
          })
          expect([...header.sackEdges.subarray(0, 2)]).toEqual([seq, ack])
        },
      ),
    )
  })

  test('options are read up to the first malformed one, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), options => {
        const memory = scratchMemory()
        writeTcpHeader(memory, 0, 1, 2, 3, 4, 60, 16, 5)
        memory.u8.set(options, 20)
        const header = createTcpHeader()
        expect(parseTcp(memory, 0, 60, header)).toBe(true)
        expect(header.sackCount).toBeLessThanOrEqual(4)
        expect(header.windowScale).toBeLessThanOrEqual(14)
      }),
    )
    const memory = scratchMemory()
    writeTcpHeader(memory, 0, 1, 2, 3, 4, 32, 16, 5)
    memory.u8.set([2, 4, 5, 180, 3, 1, 7, 4, 2, 0, 0, 0], 20)
    const header = createTcpHeader()
    parseTcp(memory, 0, 32, header)
    expect(header).toMatchObject({ mss: 1460, windowScale: -1, sackPermitted: false })
  })

  test('a header that does not fit is malformed', () => {
    const memory = scratchMemory()
    writeTcpHeader(memory, 0, 1, 2, 3, 4, 24, 16, 5)
    expect(parseTcp(memory, 0, 23, createTcpHeader())).toBe(false)
    expect(parseTcp(memory, 0, 19, createTcpHeader())).toBe(false)
    writeTcpHeader(memory, 0, 1, 2, 3, 4, 16, 16, 5)
    expect(parseTcp(memory, 0, 40, createTcpHeader())).toBe(false)
  })
})

describe('UDP and ICMP', () => {
  test('what is written is read again, and a changed bit is seen', () => {
    fc.assert(
      fc.property(
        addresses,
        body,
        fc.nat(65535),
        fc.nat(65535),
        fc.nat(),
        ([from, to], payload, source, destination, bit) => {
          const packet = udpPacket(from, source, to, destination, payload)
          expect(decode(packet).udp).toEqual({ sourcePort: source, destinationPort: destination, payload })
          const flipped = packet.slice()
          const first = from.length === 4 ? 20 : 40
          const at = first + (bit % (flipped.length - first))
          flipped[at] = (flipped[at] as number) ^ 1
          // A change of the checksum to zero would mean that there is none.
          expect(() => decode(flipped)).toThrow()
        },
      ),
    )
  })

  test('an error quotes the packet it is about', () => {
    fc.assert(
      fc.property(addresses, ([from, to]) => {
        const quoted = udpPacket(from, 1234, to, 53, new Uint8Array(20))
        const [type, code] = from.length === 4 ? [3, 3] : [1, 4]
        const { icmp } = decode(icmpPacket(to, from, type, code, 0, quoted))
        expect(icmp?.kind).toBe('port-unreachable')
        const memory = scratchMemory()
        memory.u8.set(quoted, 100)
        const header = { ...createIcmpHeader(), body: 100, bodyLength: quoted.length }
        const parsed = parseQuoted(memory, header)
        expect(parsed).toMatchObject({ protocol: 17, sourcePort: 1234, destinationPort: 53 })
        expect(parsed && addressOf(parsed.source)).toEqual(from)
        for (let length = 0; length < (from.length === 4 ? 28 : 48); length++) {
          expect(parseQuoted(memory, { ...header, bodyLength: length })).toBeUndefined()
        }
      }),
    )
  })
})
