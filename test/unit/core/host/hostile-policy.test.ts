// The packets that a hostile peer may try against the inbound check: each is refused, and counted. The peers here are whoever holds
// a key of the netmap, and one that does not.
import { beforeEach, describe, expect, it, test } from 'vitest'
import type { ForwardHandlers } from '../../../../src/core/netstack/stack.js'
import { fragmentOf, fragmentsOf } from '../../../support/fragments.js'
import {
  ack,
  createGatedStack,
  type GatedStack,
  ip,
  kindOf,
  node,
  policyOf,
  routes,
  segment,
  silent,
  tcpOf,
} from '../../../support/gated-stack.js'
import { icmpPacket, ipPacket, udpPacket } from '../../../support/packets.js'

const text = `{
  "hosts": { "sensor": "10.9.0.5" },
  "tagOwners": { "tag:web": [], "tag:ci": [], "tag:db": [], "tag:router": [] },
  "grants": [
    { "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["tcp:22", "tcp:443"] },
    { "src": ["tag:web"], "dst": ["tag:db"], "ip": ["tcp:5432", "udp:53"] },
    { "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["udp:514"] },
    { "src": ["sensor"], "dst": ["tag:web"], "ip": ["tcp:8080"] },
    { "src": ["tag:router"], "dst": ["tag:web"], "ip": ["tcp:179"] },
    { "src": ["tag:ci"], "dst": ["192.0.2.0/24"], "ip": ["tcp:80", "udp:53"] },
    { "src": ["10.7.0.2"], "dst": ["tag:web"], "ip": ["tcp:8443"] },
  ],
}`
const nodes = [
  node('web1', 1, ['10.7.0.1', 'fd07::1'], ['tag:web']),
  node('ci1', 2, ['10.7.0.2', 'fd07::2'], ['tag:ci']),
  node('db1', 3, ['10.7.0.3', 'fd07::3'], ['tag:db']),
  node('router', 4, ['10.7.0.4'], ['tag:router'], { routes: routes('10.9.0.0/16', '10.7.0.0/24') }),
]
const [ci, db, router, stranger] = [2, 3, 4, 5]

let s: GatedStack
beforeEach(() => {
  s = createGatedStack(policyOf(text, nodes))
  s.stack.listen({ port: 22 }, () => silent)
  s.stack.listen({ port: 8080 }, () => silent)
  s.stack.listen({ port: 5432 }, () => silent)
})

/** What was answered, in words. */
function answers(): string[] {
  return s.take().map(kindOf)
}

describe('a dial of a peer', () => {
  it('that a rule allows is answered', () => {
    s.put(ci, segment({ from: '10.7.0.2', port: 22 }))
    s.put(ci, segment({ from: 'fd07::2', port: 22 }))
    expect(answers()).toEqual(['syn-ack', 'syn-ack'])
    expect(s.gate.counters.allowedIn).toBe(2)
  })

  for (const from of ['10.7.0.2', 'fd07::2']) {
    it(`from ${from} that none allows is told so, as filters tell it (RFC 1812, 5.2.7.1; RFC 4443, 3.1)`, () => {
      s.put(ci, segment({ from, port: 8080 }))
      const [answer] = s.take()
      expect([kindOf(answer!), answer!.path]).toEqual(['prohibited', ci])
      expect(s.gate.counters).toMatchObject({ deniedIn: 1, allowedIn: 0 })
      expect(s.flows).toMatchObject([
        { decision: 'denied', refusal: 'no-rule', destinationPort: 8080, sourceNode: { name: 'ci1' } },
      ])
    })
  }

  it('learns nothing of ports: a closed one that it may not reach looks like an open one', () => {
    s.put(ci, segment({ from: '10.7.0.2', port: 8080 }))
    s.put(ci, segment({ from: '10.7.0.2', port: 8081 }))
    expect(answers()).toEqual(['prohibited', 'prohibited'])
    s.put(ci, segment({ from: '10.7.0.2', port: 443 }))
    expect(answers()).toEqual(['rst'])
  })

  it('is judged again in TIME-WAIT and with every sequence number', () => {
    s.put(ci, segment({ from: '10.7.0.2', port: 22, sequence: 7 }))
    expect(answers()).toEqual(['syn-ack'])
    s.setPolicy(policyOf('{ "grants": [] }', [...nodes.map(each => ({ ...each, tags: [] }))]))
    s.take()
    s.put(ci, segment({ from: '10.7.0.2', port: 22, sequence: 99_999 }))
    expect(answers()).toEqual(['prohibited'])
  })
})

describe('a sender that is not who its address says', () => {
  const cases: [string, number, string][] = [
    ["another node's address", db, '10.7.0.2'],
    ["another node's IPv6 address", db, 'fd07::2'],
    ['an address of nobody', ci, '10.7.0.77'],
    ['an address behind another router', ci, '10.9.0.5'],
    ['its own address, by a key that is in no netmap', stranger, '10.7.0.5'],
  ]
  test.each(cases)('%s: nothing is answered', (_what, path, from) => {
    s.put(path, segment({ from, port: 22 }))
    s.put(path, udpPacket(ip(from), 1, ip(from.includes(':') ? 'fd07::1' : '10.7.0.1'), 514, new Uint8Array(4)))
    const [echo, to] = from.includes(':') ? [128, 'fd07::1'] : [8, '10.7.0.1']
    s.put(path, icmpPacket(ip(from), ip(to), echo, 0, 1, new Uint8Array(8)))
    expect(answers()).toEqual([])
    expect(s.gate.counters.deniedSource).toBe(3)
    expect(s.flows.map(({ refusal, sourceNode }) => [refusal, sourceNode])).toEqual(
      Array(3).fill(['source', undefined]),
    )
  })

  it('our own address from outside is dropped before anybody asks', () => {
    s.put(ci, segment({ from: '10.7.0.1', port: 22 }))
    expect([answers(), s.stack.counters.badSource]).toEqual([[], 1])
  })

  it('an IPv4 address in IPv6 clothes is no address on the wire (RFC 4942, 2.2)', () => {
    s.put(ci, segment({ from: '::ffff:10.7.0.2', to: 'fd07::1', port: 22 }))
    s.put(ci, segment({ from: 'fd07::2', to: '::ffff:10.7.0.1', port: 22 }))
    expect(answers()).toEqual([])
    expect(s.stack.counters.ipMapped).toBeGreaterThanOrEqual(1)
    expect(s.gate.counters.allowedIn).toBe(0)
  })

  it('a peer that is gone sends no more, whatever its path number was', () => {
    s.put(ci, segment({ from: '10.7.0.2', port: 22 }))
    s.gone.add(ci)
    s.setPolicy(policyOf(text, nodes))
    s.take()
    s.put(ci, segment({ from: '10.7.0.2', fromPort: 41_000, port: 22 }))
    expect(answers()).toEqual([])
  })
})

describe('a router', () => {
  it('speaks for its routes without its own tags: they reach what their address may, and not what the router may', () => {
    s.put(router, segment({ from: '10.9.0.5', port: 8080 }))
    s.put(router, segment({ from: '10.9.0.6', port: 8080 }))
    s.put(router, segment({ from: '10.9.0.5', port: 179 }))
    s.put(router, segment({ from: '10.7.0.4', port: 179 }))
    expect(answers()).toEqual(['syn-ack', 'prohibited', 'prohibited', 'rst'])
  })

  it("does not get another node's tags by a route that covers its address, only what the address alone may", () => {
    s.put(router, segment({ from: '10.7.0.2', port: 22 }))
    s.put(router, segment({ from: '10.7.0.2', port: 8443 }))
    expect(answers()).toEqual(['prohibited', 'rst'])
    expect(s.flows.map(({ sourceNode }) => sourceNode)).toEqual([undefined, undefined])
  })
})

describe('a packet of no flow', () => {
  it('is not answered with a RST where no flow could be: an ACK finds out nothing', () => {
    s.put(db, segment({ from: '10.7.0.3', port: 22, flags: ack }))
    s.put(ci, segment({ from: '10.7.0.2', port: 8080, flags: ack }))
    expect([answers(), s.stack.counters.gatedStrays]).toEqual([[], 2])
  })

  it('is answered where one could be, so that a peer whose connection we forgot learns it', () => {
    s.put(ci, segment({ from: '10.7.0.2', port: 22, flags: ack }))
    s.put(db, segment({ from: '10.7.0.3', fromPort: 5432, port: 41_000, flags: ack }))
    expect(answers()).toEqual(['rst', 'rst'])
  })

  it('says a reply to nothing: an unasked echo reply or UDP answer is dropped', () => {
    s.put(db, icmpPacket(ip('10.7.0.3'), ip('10.7.0.1'), 0, 0, 1, new Uint8Array(8)))
    s.put(db, udpPacket(ip('10.7.0.3'), 53, ip('10.7.0.1'), 41_000, new Uint8Array(4)))
    expect(answers()).toEqual(['prohibited'])
    expect([s.stack.counters.icmpIgnored, s.gate.counters.deniedIn]).toEqual([1, 1])
  })

  it('as an ICMP error about a flow that is not there is not believed', () => {
    const quoted = segment({ from: '10.7.0.1', to: '10.7.0.3', fromPort: 41_000, port: 5432 })
    s.put(db, icmpPacket(ip('10.7.0.3'), ip('10.7.0.1'), 3, 1, 0, quoted))
    expect([answers(), s.stack.counters.icmpNotBelieved]).toEqual([[], 1])
  })

  it('as an ICMP error about a flow that is there, but from another peer, is not believed', () => {
    const closed: unknown[] = []
    s.stack.connect({ address: ip('10.7.0.3'), port: 5432 }, { ...silent, closed: code => closed.push(code) }, s.now)
    const [dial] = s.take()
    s.put(ci, icmpPacket(ip('10.7.0.2'), ip('10.7.0.1'), 3, 1, 0, dial!.bytes))
    expect([closed, s.stack.counters.icmpNotBelieved]).toEqual([[], 1])
    s.put(db, icmpPacket(ip('10.7.0.3'), ip('10.7.0.1'), 3, 13, 0, dial!.bytes))
    expect(closed).toEqual(['EACCES'])
  })

  it('of a protocol that nobody speaks is judged before it is answered', () => {
    s.put(db, ipPacket(ip('10.7.0.3'), ip('10.7.0.1'), 47, new Uint8Array(8)))
    expect([answers(), s.gate.counters.deniedIn]).toEqual([['prohibited'], 1])
  })
})

describe('fragments', () => {
  const datagram = (from: string, port: number, length = 64) =>
    udpPacket(ip(from), 40_000, ip('10.7.0.1'), port, new Uint8Array(length))

  it('are judged as the datagram that they make', () => {
    const got: number[] = []
    s.stack.bindUdp({ port: 514 }, { message: bytes => got.push(bytes.length), error() {} })
    s.stack.bindUdp({ port: 53 }, { message: bytes => got.push(bytes.length), error() {} })
    for (const part of fragmentsOf(datagram('10.7.0.2', 514), 24)) s.put(ci, part)
    expect([got, answers()]).toEqual([[64], []])
    for (const part of fragmentsOf(datagram('10.7.0.2', 53), 24, 8)) s.put(ci, part)
    expect([got, answers(), s.gate.counters.deniedIn]).toEqual([[64], ['prohibited'], 1])
  })

  it('that rewrite the ports of the first one overlap it, and the whole is dropped (RFC 5722)', () => {
    const allowed = datagram('10.7.0.2', 514)
    const wanted = datagram('10.7.0.2', 53)
    s.put(ci, fragmentOf(allowed, { from: 0, to: 16 }))
    s.put(ci, fragmentOf(wanted, { from: 0, to: 24 }))
    s.put(ci, fragmentOf(allowed, { from: 16, to: 72 }))
    expect([answers(), s.stack.counters.fragmentsOverlapping, s.stack.counters.udpIn]).toEqual([[], 1, 0])
  })

  it('alone, without a first one, go nowhere and are never answered', () => {
    s.put(ci, fragmentOf(datagram('10.7.0.2', 22), { from: 24, to: 48 }))
    s.wait(60_000)
    expect([answers(), s.stack.stats().fragmentBytes]).toEqual([[], 0])
  })

  it('of a SYN are put together before it is judged', () => {
    const packet = segment({ from: '10.7.0.2', port: 8080 })
    for (const part of fragmentsOf(packet, 8)) s.put(ci, part)
    expect([answers(), s.gate.counters.deniedIn]).toEqual([['prohibited'], 1])
  })

  it('from whom we have nothing to say to take no memory, and time out without a word', () => {
    s.put(stranger, fragmentOf(datagram('10.7.0.5', 514), { from: 0, to: 24 }))
    s.put(router, fragmentOf(datagram('10.9.0.6', 514), { from: 0, to: 24 }))
    s.put(db, fragmentOf(datagram('10.7.0.2', 514), { from: 0, to: 24 }))
    expect([s.stack.stats().fragmentBytes, s.stack.counters.gatedFragments]).toEqual([0, 3])
    s.wait(60_000)
    expect(answers()).toEqual([])
  })
})

describe('options and headers', () => {
  it('with a source route go no further (RFC 6274, 3.13.2.3)', () => {
    const packet = segment({ from: '10.7.0.2', port: 22 })
    const routed = new Uint8Array(packet.length + 8)
    routed.set(packet.subarray(0, 20))
    routed.set([131, 7, 4, 10, 7, 0, 3, 0], 20)
    routed.set(packet.subarray(20), 28)
    routed[0] = 0x47
    new DataView(routed.buffer).setUint16(2, routed.length)
    new DataView(routed.buffer).setUint16(10, 0)
    new DataView(routed.buffer).setUint16(10, headerChecksum(routed, 28))
    s.put(ci, routed)
    expect([answers(), s.stack.counters.ipRouting]).toEqual([[], 1])
  })

  it('with an IPv6 routing header are told of it only where there is something to talk about', () => {
    const withRouting = (from: string) => {
      const packet = segment({ from, port: 22 })
      const routed = new Uint8Array(packet.length + 24)
      routed.set(packet.subarray(0, 40))
      routed.set([6, 2, 0, 1], 40)
      routed.set(ip('fd07::3'), 48)
      routed.set(packet.subarray(40), 64)
      routed[6] = 43
      new DataView(routed.buffer).setUint16(4, routed.length - 40)
      return routed
    }
    s.put(ci, withRouting('fd07::2'))
    s.put(stranger, withRouting('fd07::5'))
    const told = s.take()
    expect(told.map(({ path }) => path)).toEqual([ci])
    expect([s.stack.counters.ipRouting, s.gate.counters.allowedIn]).toEqual([2, 0])
  })
})

describe('a flow that stands', () => {
  const connect = () => {
    s.put(ci, segment({ from: '10.7.0.2', port: 22, sequence: 7 }))
    const [answer] = s.take()
    const { sequence } = tcpOf(answer!.bytes)
    s.put(ci, segment({ from: '10.7.0.2', port: 22, flags: ack, sequence: 8, acknowledgment: (sequence + 1) >>> 0 }))
    return (sequence + 1) >>> 0
  }

  it('cannot be taken over from another path, not even by a RST', () => {
    const next = connect()
    s.put(db, segment({ from: '10.7.0.2', port: 22, flags: ack | 4, sequence: 8, acknowledgment: next }))
    expect([answers(), s.stack.counters.movedFlowsRefused, s.stack.stats().connections]).toEqual([[], 1, 1])
  })

  it('is cut when its peer loses the tag that let it in: the peer hears a RST, the log the rule that had allowed it', () => {
    connect()
    s.setPolicy(policyOf(text, [nodes[0]!, { ...nodes[1]!, tags: ['tag:db'] }, nodes[2]!]))
    expect(answers()).toEqual(['rst'])
    expect([s.stack.stats().connections, s.stack.counters.gatedFlowsCut, s.gate.counters.cutIn]).toEqual([0, 1, 1])
    expect(s.flows).toMatchObject([{ decision: 'cut', refusal: 'no-rule', rule: { line: 5 } }])
  })

  it('goes on when nothing changes for it', () => {
    connect()
    s.setPolicy(policyOf(text, nodes.slice(0, 2)))
    expect([answers(), s.stack.stats().connections]).toEqual([[], 1])
  })

  it('is cut when its peer expires', () => {
    connect()
    s.setPolicy(policyOf(text, [nodes[0]!, nodes[2]!], { expired: [nodes[1]!] }))
    expect(answers()).toEqual(['rst'])
    s.put(ci, segment({ from: '10.7.0.2', fromPort: 41_000, port: 22 }))
    expect(answers()).toEqual([])
  })
})

describe('a dial that AllowedIPs lead to another key', () => {
  const rules = `{ "acls": [{ "action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"] }], "tagOwners": { "tag:web": [], "tag:db": [] } }`
  const web = node('web1', 1, ['10.7.0.1'], ['tag:web'])
  const dial = () => s.stack.connect({ address: ip('10.7.0.3'), port: 5432 }, silent, s.now)

  it('than the netmap says is refused, and told apart from what no rule allows', () => {
    s.setPolicy(policyOf(rules, [web, node('db1', 9, ['10.7.0.3'], ['tag:db'])]))
    expect(dial).toThrow(expect.objectContaining({ code: 'EACCES' }))
    expect(s.gate.counters).toMatchObject({ deniedRoute: 1, deniedOut: 0 })
    expect(s.flows).toMatchObject([{ decision: 'denied', refusal: 'route' }])
  })

  it('is let through where that key routes to the node, or the netmap gives the node no key', () => {
    const { key: _, ...keyless } = node('db1', 9, ['10.7.0.3'], ['tag:db'])
    s.setPolicy(policyOf(rules, [web, keyless]))
    expect(dial).not.toThrow()
    const hub = node('hub', db, ['10.7.0.9'], [], { routes: routes('10.7.0.0/24') })
    s.setPolicy(policyOf(rules, [web, node('db1', 9, ['10.7.0.3'], ['tag:db']), hub]))
    expect(dial).not.toThrow()
  })
})

describe('an expired router', () => {
  const old = { ...node('old', 6, ['10.7.0.6'], ['tag:router']), routes: routes('10.20.0.0/16') }
  const allowed = `{ "acls": [{ "action": "accept", "src": ["*"], "dst": ["*:*"] }], "tagOwners": { "tag:web": [], "tag:router": [] } }`
  const web = node('web1', 1, ['10.7.0.1'], ['tag:web'])
  const dial = () => s.stack.connect({ address: ip('10.20.0.9'), port: 80 }, silent, s.now)

  it('is no way to what is behind it', () => {
    s.setPolicy(policyOf(allowed, [web], { expired: [old] }))
    expect(dial).toThrow(expect.objectContaining({ code: 'EACCES' }))
    expect(s.gate.counters).toMatchObject({ deniedExpiredOut: 1 })
  })

  it('is none in the way of another, and of itself with a new entry', () => {
    s.setPolicy(policyOf(allowed, [web, { ...old, name: 'new' }], { expired: [old] }))
    expect(dial).not.toThrow()
    s.put(6, segment({ from: '10.7.0.6', port: 22 }))
    expect(answers()).toContain('syn-ack')
  })
})

describe('UDP and echoes', () => {
  const message = (from: string, fromPort: number, port: number) =>
    udpPacket(ip(from), fromPort, ip('10.7.0.1'), port, new Uint8Array(10))

  it('a query of ours is answered without a rule for the answer, from the port that was asked alone', () => {
    const got: number[] = []
    const socket = s.stack.bindUdp({ port: 41_000 }, { message: (_, __, port) => got.push(port), error() {} })
    expect(socket.send(new Uint8Array(5), ip('10.7.0.3'), 53, s.now)).toBe(true)
    s.take()
    s.put(db, message('10.7.0.3', 53, 41_000))
    s.put(db, message('10.7.0.3', 54, 41_000))
    s.put(db, message('10.7.0.3', 53, 41_001))
    expect([got, answers()]).toEqual([[53], ['prohibited', 'prohibited']])
  })

  it('and only as long as it is not forgotten', () => {
    const got: number[] = []
    const socket = s.stack.bindUdp({ port: 41_000 }, { message: (_, __, port) => got.push(port), error() {} })
    socket.send(new Uint8Array(5), ip('10.7.0.3'), 53, s.now)
    s.wait(31_000)
    s.put(db, message('10.7.0.3', 53, 41_000))
    expect(got).toEqual([])
    expect(s.flows).toMatchObject([
      { decision: 'allowed', outbound: true, sent: 5, received: 0, rule: { line: 6 } },
      { decision: 'denied' },
    ])
  })

  it('a ping is let through where any rule is, in its own direction', () => {
    const ping = (path: number, from: string) =>
      s.put(path, icmpPacket(ip(from), ip('10.7.0.1'), 8, 0, 1, new Uint8Array(8)))
    ping(ci, '10.7.0.2')
    ping(db, '10.7.0.3')
    expect(answers()).toEqual(['echo-reply', 'prohibited'])
    s.stack.ping(ip('10.7.0.3'), {}, () => {}, s.now)
    expect(answers()).toEqual(['echo-request'])
    ping(db, '10.7.0.3')
    expect(answers()).toEqual(['prohibited'])
    expect(() => s.stack.ping(ip('10.7.0.2'), {}, () => {}, s.now)).toThrow(expect.objectContaining({ code: 'EACCES' }))
  })

  it('flows are a bounded table in which one peer has its share', () => {
    s = createGatedStack(policyOf(text, nodes), { trackedFlows: 64 })
    for (let port = 1; port <= 100; port++) s.put(ci, message('10.7.0.2', port, 514))
    expect([s.stack.counters.trackedFlowsFull, s.stack.tracked?.size]).toEqual([68, 32])
    s.wait(60_000)
    expect(s.stack.tracked?.size).toBe(0)
  })
})

describe('what we dial', () => {
  it('is judged by the address, own addresses included', () => {
    const dial = (address: string, port: number) => s.stack.connect({ address: ip(address), port }, silent, s.now)
    for (const [address, port] of [
      ['10.7.0.3', 22],
      ['10.7.0.2', 5432],
      ['::ffff:10.7.0.3', 22],
      ['10.7.0.1', 22],
      ['fd07::1', 22],
      ['10.9.0.5', 5432],
    ] as const) {
      expect(() => dial(address, port)).toThrow(expect.objectContaining({ code: 'EACCES' }))
    }
    expect(s.gate.lastRefused).toMatchObject({ destination: ip('10.9.0.5'), destinationPort: 5432 })
    dial('10.7.0.3', 5432)
    dial('::ffff:10.7.0.3', 5432)
    expect(answers()).toEqual(['syn', 'syn'])
    expect(s.gate.counters).toMatchObject({ deniedOut: 6, allowedOut: 2 })
  })
})

describe('a forwarder', () => {
  const asked: string[] = []
  const handlers: ForwardHandlers = {
    tcp: request => asked.push(`tcp ${request.localPort}`),
    udp: request => asked.push(`udp ${request.localPort}`),
    echo: () => asked.push('echo'),
  }

  it('is asked for nothing that the policy refuses', () => {
    asked.length = 0
    s.stack.forward({ prefixes: routes('192.0.2.0/24', '198.51.100.0/24') }, handlers)
    for (const to of ['192.0.2.7', '198.51.100.7']) {
      for (const port of [80, 81]) {
        s.put(ci, segment({ from: '10.7.0.2', to, port }))
        s.put(ci, udpPacket(ip('10.7.0.2'), 1, ip(to), port - 27, new Uint8Array(4)))
      }
      s.put(ci, icmpPacket(ip('10.7.0.2'), ip(to), 8, 0, 1, new Uint8Array(8)))
      s.put(db, segment({ from: '10.7.0.3', to, port: 80 }))
      s.put(db, segment({ from: '10.7.0.2', to, fromPort: 3, port: 80 }))
    }
    expect(asked.sort()).toEqual(['echo', 'tcp 80', 'udp 53'])
    expect(answers()).toEqual(Array(9).fill('prohibited'))
    expect(s.gate.counters).toMatchObject({ allowedIn: 3, deniedIn: 9, deniedSource: 2 })
  })

  it('hears that a flow is over which the policy allows no more', () => {
    const ended: string[] = []
    s.stack.forward(
      { prefixes: routes('192.0.2.0/24') },
      {
        tcp: request => {
          request.abandoned = () => ended.push('tcp')
        },
        udp: request => {
          request.accept({ message() {}, error() {}, closed: () => ended.push('udp') }, s.now)
        },
      },
    )
    s.put(ci, segment({ from: '10.7.0.2', to: '192.0.2.7', port: 80 }))
    s.put(ci, udpPacket(ip('10.7.0.2'), 1, ip('192.0.2.7'), 53, new Uint8Array(4)))
    s.setPolicy(policyOf(text, [nodes[0]!, { ...nodes[1]!, tags: [] }]))
    expect(ended.sort()).toEqual(['tcp', 'udp'])
    expect(s.gate.counters.cutIn).toBe(1)
  })

  it('hears once that a flow is over for which there was no room', () => {
    s = createGatedStack(policyOf(text, nodes), { connections: 0 })
    s.stack.forward({ prefixes: routes('192.0.2.0/24') }, { tcp: request => void request.accept(() => silent, s.now) })
    s.put(ci, segment({ from: '10.7.0.2', to: '192.0.2.9', port: 80 }))
    expect(s.flows).toHaveLength(1)
  })
})

describe('in report mode', () => {
  it('everything passes, and what would have been refused is told when it is over', () => {
    s.setPolicy(policyOf(text, nodes, { mode: 'report' }))
    s.put(db, segment({ from: '10.7.0.3', port: 22, sequence: 7 }))
    s.put(stranger, segment({ from: '10.7.0.5', port: 22, sequence: 7 }))
    expect(answers()).toEqual(['syn-ack', 'syn-ack'])
    for (const [path, from] of [
      [db, '10.7.0.3'],
      [stranger, '10.7.0.5'],
    ] as const) {
      s.put(path, segment({ from, port: 22, flags: 4, sequence: 8 }))
    }
    expect(s.flows).toMatchObject([
      { decision: 'reported', refusal: 'no-rule', sourceNode: { name: 'db1' }, destinationPort: 22 },
      { decision: 'reported', refusal: 'source', sourceNode: undefined },
    ])
    expect(s.gate.counters).toMatchObject({ reportedIn: 2, deniedIn: 0, deniedSource: 0 })
  })
})

describe('a flood of refusals', () => {
  it('is told in a bounded number of lines, each with how often it came', () => {
    for (let i = 0; i < 500; i++) s.put(ci, segment({ from: '10.7.0.2', fromPort: 1024 + i, port: 23 }))
    for (let port = 1000; port < 1200; port++) s.put(ci, segment({ from: '10.7.0.2', port }))
    expect(s.flows).toHaveLength(100)
    expect(s.gate.counters).toMatchObject({ deniedIn: 700, untold: 600 })
    s.wait(10_000)
    s.put(ci, segment({ from: '10.7.0.2', port: 23 }))
    expect(s.flows.at(-1)).toMatchObject({ decision: 'denied', destinationPort: 23, count: 500 })
  })

  it('and so are probes of a peer that may: to a port where nobody listens, and connections that are given up at once', () => {
    for (let i = 0; i < 500; i++) s.put(ci, segment({ from: '10.7.0.2', fromPort: 1024 + i, port: 443 }))
    for (let i = 0; i < 500; i++) {
      s.put(ci, segment({ from: '10.7.0.2', fromPort: 1024 + i, port: 22, sequence: 7 }))
      s.put(ci, segment({ from: '10.7.0.2', fromPort: 1024 + i, port: 22, sequence: 8, flags: 4 }))
    }
    expect(s.flows).toMatchObject([{ destinationPort: 443 }, { destinationPort: 22, count: 1 }])
    expect(s.gate.counters).toMatchObject({ allowedIn: 1000, untold: 998 })
    s.wait(10_000)
    s.put(ci, segment({ from: '10.7.0.2', port: 443 }))
    expect(s.flows.at(-1)).toMatchObject({ decision: 'allowed', destinationPort: 443, count: 500 })
  })

  it('and so is a scan in report mode', () => {
    s.setPolicy(policyOf(text, nodes, { mode: 'report' }))
    for (let port = 1000; port < 2000; port++) s.put(db, segment({ from: '10.7.0.3', port }))
    for (let i = 0; i < 1000; i++) s.put(db, ipPacket(ip('10.7.0.3'), ip('10.7.0.1'), 47, new Uint8Array(8)))
    expect(s.flows).toHaveLength(100)
    expect(s.gate.counters).toMatchObject({ reportedIn: 2000, untold: 1900 })
  })
})

it('nothing of all that leaves a slot behind', () => {
  s.put(ci, segment({ from: '10.7.0.2', port: 8080 }))
  s.put(stranger, segment({ from: '10.7.0.5', port: 22 }))
  for (const part of fragmentsOf(segment({ from: '10.7.0.2', port: 8080 }), 8)) s.put(ci, part)
  s.put(db, ipPacket(ip('10.7.0.3'), ip('10.7.0.1'), 47, new Uint8Array(8)))
  s.put(db, udpPacket(ip('10.7.0.3'), 1, ip('10.7.0.1'), 9, new Uint8Array(8)))
  s.take()
  expect(s.memory.inUse).toBe(0)
})

function headerChecksum(packet: Uint8Array, length: number): number {
  const view = new DataView(packet.buffer)
  let sum = 0
  for (let i = 0; i < length; i += 2) sum += view.getUint16(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
