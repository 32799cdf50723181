// A forwarder answers for whole prefixes: nothing is said to the peer before its handler has decided.
import { describe, expect, it } from 'vitest'
import { formatAddress, parseAddress, parsePrefix } from '../../../../src/core/base/address.js'
import type {
  ForwardedDial,
  ForwardedEcho,
  ForwardedFlow,
  ForwardHandlers,
  ForwardRefusal,
  SocketCode,
  UdpFlow,
  UdpFlowEvents,
} from '../../../../src/core/netstack/stack.js'
import { fragmentsOf } from '../../../support/fragments.js'
import { createPair, pathNumber } from '../../../support/netstack-pair.js'
import { decode, icmpPacket, udpPacket } from '../../../support/packets.js'
import { bytes, Recorder, StreamOwner } from '../../../support/tcp-endpoints.js'
import { type ScriptOptions, TcpScript } from '../../../support/tcp-script.js'

const address = (text: string) => parseAddress(text) as Uint8Array
const prefixes = ['192.0.2.0/24', '2001:db8::/32'].flatMap(text => parsePrefix(text) ?? [])

function give(s: TcpScript, packet: Uint8Array, path = 1): void {
  const slot = s.memory.alloc()
  s.memory.u8.set(packet, slot + 16)
  s.stack.handlePacket(slot, slot + 16, packet.length, path, s.now)
  s.flush()
}

class Handlers implements ForwardHandlers {
  readonly dials: ForwardedDial[] = []
  readonly flows: ForwardedFlow[] = []
  readonly echoes: ForwardedEcho[] = []
  readonly abandoned: object[] = []
  tcp(request: ForwardedDial): void {
    this.dials.push(this.#watch(request))
  }
  udp(request: ForwardedFlow): void {
    this.flows.push(this.#watch(request))
  }
  echo(request: ForwardedEcho): void {
    this.echoes.push(this.#watch(request))
  }
  #watch<T extends ForwardedDial | ForwardedFlow | ForwardedEcho>(request: T): T {
    request.abandoned = () => this.abandoned.push(request)
    return request
  }
}

/** A scripted peer that dials 192.0.2.7 (2001:db8::7): the script's own address is the one dialled. */
function script(family: 4 | 6 = 4, options: ScriptOptions = {}) {
  const own = address(family === 4 ? '10.7.0.1' : 'fd07::1')
  const s = new TcpScript({ family, ...options, addresses: [{ address: own, length: 32 }] })
  Object.assign(s, { ours: address(family === 4 ? '192.0.2.7' : '2001:db8::7') })
  const handlers = new Handlers()
  const forwarder = s.stack.forward({ prefixes }, handlers)
  return { s, handlers, forwarder, own }
}

const syn = 'S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>'

for (const family of [4, 6] as const) {
  describe(`a SYN to a forwarded address over IPv${family}`, () => {
    it('is answered once its handler accepts, and not before, however often it comes', () => {
      const { s, handlers } = script(family)
      s.send(syn)
      expect(handlers.dials).toHaveLength(1)
      const [dial] = handlers.dials as [ForwardedDial]
      expect([formatAddress(dial.localAddress), dial.localPort]).toEqual([formatAddress(s.ours), 80])
      expect([formatAddress(dial.remoteAddress), dial.remotePort, dial.path]).toEqual([formatAddress(s.peer), 4000, 1])
      s.expectNothing().wait(1000).send(syn).wait(2000).send(syn)
      s.expectNothing()
      expect(handlers.dials).toHaveLength(1)
      const owner = new Recorder()
      const accept = () =>
        dial.accept(connection => {
          owner.connection = connection
          return owner
        }, s.now)
      expect(accept()).toBe(true)
      expect([accept(), dial.isPending]).toEqual([false, false])
      s.expect('S. 0:0(0) ack 1 <mss 1460,sackOK>'.replace('1460', family === 4 ? '1460' : '1440'))
      s.send(syn).expect('S. 0:0(0) ack 1')
      s.send('. 1:1(0) ack 1 win 512').send('P. 1:6(5) ack 1 win 512')
      s.skip()
      expect(owner.received).toHaveLength(5)
      expect(formatAddress(owner.connection?.localAddress as Uint8Array)).toBe(formatAddress(s.ours))
      expect([handlers.dials.length, handlers.abandoned.length]).toEqual([1, 0])
    })

    it.each([
      ['refused', 'rst'],
      ['host-unreachable', 'host-unreachable'],
      ['prohibited', 'prohibited'],
      ['drop', 'nothing'],
    ] as const)('that is turned down as %s gets %s', (refusal, answer) => {
      const { s, handlers } = script(family)
      s.send(syn)
      const [dial] = handlers.dials as [ForwardedDial]
      dial.refuse(refusal, s.now)
      dial.refuse('refused', s.now)
      s.flush()
      const lines = s.take()
      expect(lines).toHaveLength(answer === 'rst' ? 1 : 0)
      if (answer === 'rst') expect(lines[0]).toMatch(/R\./)
      expect(s.others.map(packet => decode(packet).icmp?.kind)).toEqual(/^(rst|nothing)$/.test(answer) ? [] : [answer])
      expect(s.memory.inUse).toBe(0)
      // Silence is kept, too, when the SYN is repeated.
      s.wait(1000).send(syn)
      expect(handlers.dials).toHaveLength(refusal === 'drop' ? 1 : 2)
    })
  })
}

describe('a dial that waits for its handler', () => {
  it('is given up after a time, and its handler told', () => {
    const { s, handlers } = script(4, { limits: { forwardTimeout: 5000 } })
    s.send(syn)
    s.wait(4999)
    expect(handlers.abandoned).toEqual([])
    s.wait(1)
    const [dial] = handlers.dials as [ForwardedDial]
    expect(handlers.abandoned).toEqual([dial])
    expect([dial.isPending, dial.accept(() => new Recorder(), s.now)]).toEqual([false, false])
    dial.refuse('refused', s.now)
    s.expectNothing()
    s.send(syn)
    expect(handlers.dials).toHaveLength(2)
  })

  it('makes way for another one from the same port', () => {
    const { s, handlers } = script()
    s.send(syn)
    s.send('S 5000:5000(0) win 65535 <mss 1460>')
    expect(handlers.dials).toHaveLength(2)
    expect(handlers.abandoned).toEqual([handlers.dials[0]])
  })

  it('and whose peer then does not answer the SYN-ACK is told of', () => {
    const { s, handlers } = script()
    s.send(syn)
    handlers.dials[0]?.accept(() => expect.unreachable(), s.now)
    s.expect('S. 0:0(0) ack 1')
    s.send('R 1:1(0)')
    expect(handlers.abandoned).toEqual(handlers.dials)
    expect(s.stack.stats().connections).toBe(0)
  })

  it('has a place in a table of which one path never gets more than half', () => {
    const { s, handlers } = script(4, { limits: { forwardPending: 20 } })
    for (let i = 0; i < 50; i++) {
      s.peerPort = 1000 + i
      s.send(syn)
    }
    expect(handlers.dials).toHaveLength(10)
    expect(s.stack.counters.forwardFull).toBe(40)
    const other = createPair({ a: { addresses: [{ address: address('10.7.0.9'), length: 32 }] } })
    const packets: Uint8Array[] = []
    other.setLink('forward', { drop: packet => packets.push(packet) > 0 })
    other.a.stack.connect({ address: s.ours, port: 80 }, new Recorder(), other.now)
    other.run(() => packets.length > 0)
    give(s, packets[0] as Uint8Array, 2)
    expect(handlers.dials).toHaveLength(11)
    // Who is accepted keeps the place until the handshake is done.
    handlers.dials[0]?.accept(() => new Recorder(), s.now)
    s.peerPort = 2000
    s.send(syn)
    expect(handlers.dials).toHaveLength(11)
    handlers.dials[1]?.refuse('refused', s.now)
    s.send(syn)
    expect(handlers.dials).toHaveLength(12)
  })
})

describe('a forwarder', () => {
  it('leaves our own addresses to our listeners, and theirs to nobody but itself', () => {
    const { s, handlers, own } = script()
    const owner = new Recorder()
    s.stack.listen({ port: 80 }, () => owner)
    s.send(syn)
    expect(handlers.dials).toHaveLength(1)
    Object.assign(s, { ours: own })
    s.send(syn).expect('S. 0:0(0) ack 1')
    expect(handlers.dials).toHaveLength(1)
  })

  it('drops what no handler is there for, and what goes to no prefix, to many, or comes from us', () => {
    const { s, own } = script()
    s.stack.forward({ prefixes: [parsePrefix('198.51.100.0/24')].flatMap(prefix => prefix ?? []) }, {})
    const to = (destination: string, source = s.peer) =>
      give(s, udpPacket(source, 9, address(destination), 53, bytes('x')))
    to('198.51.100.1')
    to('203.0.113.1')
    expect(s.stack.counters.notOurs).toBe(2)
    to('192.0.2.1', own)
    expect(s.stack.counters.badSource).toBe(1)
    s.stack.forward({ prefixes: [parsePrefix('0.0.0.0/0')].flatMap(prefix => prefix ?? []) }, new Handlers())
    for (const many of ['224.0.0.1', '255.255.255.255', '127.0.0.1', '169.254.1.1', '0.0.0.0']) to(many)
    expect(s.stack.counters).toMatchObject({ notOurs: 7, forwardRequests: 0 })
    expect([s.others, s.memory.inUse]).toEqual([[], 0])
  })

  it('resets stray segments, and answers for the longest prefix', () => {
    const { s, handlers } = script()
    const narrower = new Handlers()
    s.stack.forward({ prefixes: [parsePrefix('192.0.2.7/32')].flatMap(prefix => prefix ?? []) }, narrower)
    s.send('P. 500:510(10) ack 77 win 5')
    expect(s.take()[0]).toMatch(/^R/)
    s.send(syn)
    expect([handlers.dials.length, narrower.dials.length]).toEqual([0, 1])
  })

  it('that is closed forgets what waits, and ends flows; connections stay', () => {
    const { s, handlers, forwarder } = script()
    s.send(syn)
    const owner = new Recorder()
    handlers.dials[0]?.accept(() => owner, s.now)
    s.expect('S. 0:0(0) ack 1').send('. 1:1(0) ack 1 win 512')
    s.peerPort = 4001
    s.send(syn)
    give(s, udpPacket(s.peer, 9, s.ours, 53, bytes('x')))
    give(s, icmpPacket(s.peer, s.ours, 8, 0, 1, bytes('x')))
    const inbox = new Inbox()
    handlers.flows[0]?.accept(inbox, s.now)
    forwarder.close()
    s.flush()
    expect(handlers.abandoned).toEqual([handlers.dials[1], handlers.echoes[0]])
    expect(inbox.log).toEqual(['closed'])
    expect(owner.isClosed).toBe(false)
    s.peerPort = 4002
    s.send(syn)
    expect(handlers.dials).toHaveLength(2)
    s.stack.close(s.now)
    expect(s.stack.nextDeadline()).toBe(Infinity)
    expect(s.memory.inUse).toBe(0)
  })

  it('carries streams between a peer and whomever its handler finds', () => {
    const pair = createPair({ forward: { delay: 20, loss: 0.01 }, back: { delay: 20, loss: 0.01 } })
    const far = address('192.0.2.77')
    const server = new StreamOwner(2, 1, 200_000, () => pair.now)
    pair.b.stack.forward(
      { prefixes },
      {
        tcp: request => {
          expect([formatAddress(request.localAddress), request.path]).toEqual(['192.0.2.77', pathNumber])
          request.accept(connection => server.start(connection), pair.now)
        },
      },
    )
    const client = new StreamOwner(1, 2, 300_000, () => pair.now)
    client.start(pair.a.stack.connect({ address: far, port: 443 }, client, pair.now))
    pair.run(() => client.isClosed && server.isClosed, pair.now + 120_000)
    expect([client.read, client.wrong, server.read, server.wrong]).toEqual([200_000, -1, 300_000, -1])
    pair.advance(120_000)
    expect([pair.a.memory.inUse, pair.b.memory.inUse]).toEqual([0, 0])
  })
})

class Inbox implements UdpFlowEvents {
  readonly log: string[] = []
  message(content: Uint8Array): void {
    this.log.push(new TextDecoder().decode(content))
  }
  error(code: SocketCode): void {
    this.log.push(code)
  }
  closed(): void {
    this.log.push('closed')
  }
}

for (const family of [4, 6] as const) {
  describe(`a datagram to a forwarded address over IPv${family} (H-udp)`, () => {
    const flow = (options: ScriptOptions = {}) => {
      const scripted = script(family, options)
      const { s } = scripted
      const datagram = (text: string, port = 53) => udpPacket(s.peer, 9, s.ours, port, bytes(text))
      return { ...scripted, datagram, inbox: new Inbox() }
    }

    it('is asked for once, waits, and begins a flow that answers from the address asked', () => {
      const { s, handlers, datagram, inbox } = flow()
      give(s, datagram('one'))
      give(s, datagram('two'))
      expect(handlers.flows).toHaveLength(1)
      const [request] = handlers.flows as [ForwardedFlow]
      expect([formatAddress(request.localAddress), request.localPort, request.remotePort]).toEqual([
        formatAddress(s.ours),
        53,
        9,
      ])
      const accepted = request.accept(inbox, s.now) as UdpFlow
      expect(inbox.log).toEqual([])
      s.flush()
      give(s, datagram('three'))
      expect(inbox.log).toEqual(['one', 'two', 'three'])
      expect(accepted.send(bytes('answer'), s.now)).toBe(true)
      s.flush()
      const sent = decode(s.others[0] as Uint8Array)
      expect(sent.udp).toEqual({ sourcePort: 53, destinationPort: 9, payload: bytes('answer') })
      expect(formatAddress(sent.source)).toBe(formatAddress(s.ours))
      expect(s.memory.inUse).toBe(0)
    })

    it('may be in fragments (H-fragments)', () => {
      const { s, handlers, datagram, inbox } = flow()
      const text = 'x'.repeat(5000)
      for (const part of fragmentsOf(datagram(text), 1024)) give(s, part)
      handlers.flows[0]?.accept(inbox, s.now)
      s.flush()
      expect(inbox.log).toEqual([text])
    })

    it.each([
      ['refused', 'port-unreachable'],
      ['host-unreachable', 'host-unreachable'],
      ['prohibited', 'prohibited'],
      ['drop', undefined],
    ] as [ForwardRefusal, string | undefined][])(
      'that is turned down as %s, like those after it, gets %s',
      (refusal, kind) => {
        const { s, handlers, datagram } = flow()
        give(s, datagram('one'))
        handlers.flows[0]?.refuse(refusal, s.now)
        s.flush()
        give(s, datagram('two'))
        const answers = s.others.map(packet => decode(packet).icmp)
        expect(answers.map(answer => answer?.kind)).toEqual(kind === undefined ? [] : [kind, kind])
        if (kind !== undefined) expect(answers[0]?.content).toEqual(datagram('one'))
        expect(handlers.flows).toHaveLength(1)
        s.wait(31_000)
        give(s, datagram('three'))
        expect(handlers.flows).toHaveLength(2)
        expect(s.memory.inUse).toBe(0)
      },
    )

    it('whose flow turns out to be refused is answered so, and the next one is asked for again (H-icmp)', () => {
      const { s, handlers, datagram, inbox } = flow()
      give(s, datagram('one'))
      const accepted = handlers.flows[0]?.accept(inbox, s.now) as UdpFlow
      s.flush()
      accepted.refuse('refused', s.now)
      accepted.refuse('refused', s.now)
      s.flush()
      const [answer, ...others] = s.others.map(packet => decode(packet).icmp)
      expect(answer).toMatchObject({ kind: 'port-unreachable', content: datagram('one').subarray(0, 68) })
      expect([others, inbox.log]).toEqual([[], ['one']])
      give(s, datagram('two'))
      expect(handlers.flows).toHaveLength(2)
      expect(s.memory.inUse).toBe(0)
    })

    it('ends its flow by silence, and starts another afterwards', () => {
      const { s, handlers, datagram, inbox } = flow({ limits: { forwardIdle: 10_000 } })
      give(s, datagram('one'))
      const accepted = handlers.flows[0]?.accept(inbox, s.now) as UdpFlow
      s.wait(9000)
      accepted.send(bytes('still here'), s.now)
      s.wait(9999)
      expect(inbox.log).toEqual(['one'])
      s.wait(1)
      expect(inbox.log).toEqual(['one', 'closed'])
      expect(accepted.send(bytes('late'), s.now)).toBe(false)
      give(s, datagram('two'))
      expect(handlers.flows).toHaveLength(2)
      expect(handlers.abandoned).toEqual([])
    })

    it('whose answer does not arrive is told so by ICMP', () => {
      const { s, handlers, datagram, inbox } = flow()
      give(s, datagram('one'))
      const accepted = handlers.flows[0]?.accept(inbox, s.now) as UdpFlow
      accepted.send(bytes('answer'), s.now)
      s.flush()
      const [type, code] = family === 4 ? [3, 3] : [1, 4]
      give(s, icmpPacket(s.peer, s.ours, type, code, 0, s.others[0] as Uint8Array), 2)
      give(s, icmpPacket(s.peer, s.ours, type, code, 0, s.others[0] as Uint8Array))
      expect(inbox.log).toEqual(['one', 'ECONNREFUSED'])
    })
  })

  describe(`an echo request to a forwarded address over IPv${family} (H-icmp)`, () => {
    const request = family === 4 ? 8 : 128

    it.each([10, 4000])('with %i bytes is answered by its handler, in its time', size => {
      const { s, handlers } = script(family)
      const data = new Uint8Array(size).fill(5)
      for (const part of fragmentsOf(icmpPacket(s.peer, s.ours, request, 0, 0x70008, data), 1400)) give(s, part)
      const [echo] = handlers.echoes as [ForwardedEcho]
      expect(echo).toMatchObject({ identifier: 7, sequence: 8, bytes: data })
      s.wait(500)
      expect(s.others).toEqual([])
      echo.answer(s.now)
      echo.answer(s.now)
      s.flush()
      expect(s.others).toHaveLength(size > 1400 ? 3 : 1)
      const answer = decode(s.others[0] as Uint8Array)
      expect(formatAddress(answer.source)).toBe(formatAddress(s.ours))
      if (size < 1400) expect(answer.icmp).toMatchObject({ kind: 'echo-reply', sequence: 8, content: data })
      expect(s.memory.inUse).toBe(0)
    })

    it('may be turned down, or given up, and has its share of a bound', () => {
      const { s, handlers } = script(family, { limits: { forwardEchoes: 4, forwardTimeout: 1000 } })
      for (let i = 0; i < 5; i++) give(s, icmpPacket(s.peer, s.ours, request, 0, i, bytes('x')))
      expect(handlers.echoes).toHaveLength(2)
      handlers.echoes[0]?.refuse('prohibited', s.now)
      s.flush()
      expect(s.others.map(packet => decode(packet).icmp?.kind)).toEqual(['prohibited'])
      s.wait(1000)
      expect(handlers.abandoned).toEqual([handlers.echoes[1]])
      expect(s.stack.nextDeadline()).toBe(Infinity)
    })
  })
}

describe('the table of forwarded flows', () => {
  it('never gives one path more than half (H-udp)', () => {
    const { s, handlers } = script(4, { limits: { forwardFlows: 20 } })
    for (let port = 1; port < 50; port++) give(s, udpPacket(s.peer, port, s.ours, 53, bytes('x')))
    give(s, udpPacket(address('10.7.0.3'), 1, s.ours, 53, bytes('x')), 2)
    expect(handlers.flows.map(flow => flow.path)).toEqual([...new Array(10).fill(1), 2])
    s.wait(31_000)
    expect(handlers.abandoned).toHaveLength(11)
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })
})
