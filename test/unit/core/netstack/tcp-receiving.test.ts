import { describe, expect, test } from 'vitest'
import { accepted, type Established, payload } from '../../../support/tcp-handshakes.js'

/** The bytes that the scripted peer's stream consists of. */
function stream(from: number, to: number): Uint8Array {
  return Uint8Array.from({ length: to - from }, (_, i) => (from + i) % 251)
}

/** The peer sends full segments until the first sixteen, which are acknowledged at once, are over. */
function pastQuickAcks(established: Established): number {
  let next = 1
  for (let i = 0; i < 16; i++, next += 1460) established.s.send(`. ${next}:${next + 1460}(1460) ack 1 win 512`)
  established.s.skip()
  return next
}

describe('an acknowledgement', () => {
  test('of the first sixteen segments leaves at once (N14)', () => {
    const { s } = accepted()
    for (let i = 0; i < 16; i++) s.send(`P. ${1 + i}:${2 + i}(1) ack 1 win 512`).expect(`. 1:1(0) ack ${2 + i}`)
    s.send('P. 17:18(1) ack 1 win 512').expectNothing()
  })

  test('later waits 40 ms, or for a second full segment, or for data to ride on (N14)', () => {
    const established = accepted()
    const { s, c } = established
    let next = pastQuickAcks(established)
    s.send(`. ${next}:${next + 1460}(1460) ack 1 win 512`).expectAfter(40, `. 1:1(0) ack ${next + 1460}`)
    next += 1460
    s.send(`. ${next}:${next + 1460}(1460) ack 1 win 512`).expectNothing()
    next += 1460
    s.send(`. ${next}:${next + 1460}(1460) ack 1 win 512`).expect(`. 1:1(0) ack ${next + 1460}`)
    next += 1460
    s.send(`. ${next}:${next + 1460}(1460) ack 1 win 512`).expectNothing()
    c.write(payload(5), 0, s.now)
    s.expect(`P. 1:6(5) ack ${next + 1460}`)
    s.wait(1000).skip()
  })

  test('leaves once a turn, however many segments came in it (N14)', () => {
    const { s } = accepted()
    for (let i = 0; i < 30; i++) s.sendOnly(`. ${1 + i * 1000}:${1 + (i + 1) * 1000}(1000) ack 1 win 512`)
    s.expect('. 1:1(0) ack 30001').expectNothing()
  })

  test('of a segment behind a hole, of one that fills it, and of an old one leaves at once (N14)', () => {
    const established = accepted()
    const { s } = established
    const next = pastQuickAcks(established)
    s.send(`. ${next + 100}:${next + 200}(100) ack 1 win 512`).expect(`. 1:1(0) ack ${next}`)
    s.send(`. ${next}:${next + 100}(100) ack 1 win 512`).expect(`. 1:1(0) ack ${next + 200}`)
    s.send(`. ${next}:${next + 100}(100) ack 1 win 512`).expect(`. 1:1(0) ack ${next + 200}`)
    s.send('P. 1:11(10) ack 1 win 512').expect(`. 1:1(0) ack ${next + 200}`)
  })

  test('without SACK comes once for each segment behind a hole, in one turn too (N14)', () => {
    const { s } = accepted('mss 1460')
    for (let i = 1; i < 5; i++) s.sendOnly(`. ${1 + i * 100}:${101 + i * 100}(100) ack 1`)
    for (let i = 1; i < 5; i++) s.expect('. 1:1(0) ack 1 <>')
    s.expectNothing()
  })
})

describe('SACK', () => {
  test('reports what came last first, at most four ranges, three beside timestamps (N11)', () => {
    const { s } = accepted()
    const send = (from: number) => s.send(`. ${from}:${from + 100}(100) ack 1 win 512`)
    send(101).expect('. 1:1(0) ack 1 <sack 101:201>')
    send(301).expect('. 1:1(0) ack 1 <sack 301:401 101:201>')
    send(501).expect('. 1:1(0) ack 1 <sack 501:601 301:401 101:201>')
    send(701).expect('. 1:1(0) ack 1 <sack 701:801 501:601 301:401 101:201>')
    send(901).expect('. 1:1(0) ack 1 <sack 901:1001 701:801 501:601 301:401>')
    send(201).expect('. 1:1(0) ack 1 <sack 101:401 901:1001 701:801 501:601>')
    send(1).expect('. 1:1(0) ack 401')
  })

  test('beside timestamps reports three (N11)', () => {
    const { s } = accepted('mss 1460,sackOK,TS val 1 ecr 0,wscale 7')
    for (const from of [101, 301, 501, 701]) s.send(`. ${from}:${from + 100}(100) ack 1 win 512 <TS val 1 ecr 0>`)
    expect(s.take().at(-1)).toContain('sack 701:801 501:601 301:401')
  })

  test('tells what came twice (DSACK) (N11)', () => {
    const { s } = accepted()
    s.send('. 1:101(100) ack 1 win 512').skip()
    s.send('. 1:101(100) ack 1 win 512').expect('. 1:1(0) ack 101 <sack 1:101>')
    s.send('. 301:401(100) ack 1 win 512').skip()
    s.send('. 301:401(100) ack 1 win 512').expect('. 1:1(0) ack 101 <sack 301:401 301:401>')
    s.send('. 51:151(100) ack 1 win 512').expect('. 1:1(0) ack 151 <sack 51:101 301:401>')
  })

  test('names the range that a duplicate lies in behind it, or nobody could tell a DSACK from a SACK (N11)', () => {
    const { s } = accepted()
    s.send('. 101:301(200) ack 1 win 512').send('. 501:601(100) ack 1 win 512').skip()
    s.send('. 151:251(100) ack 1 win 512').expect('. 1:1(0) ack 1 <sack 151:251 101:301 501:601>')
  })
})

describe('reassembly', () => {
  test('puts any order of segments right, overlaps included (N2)', () => {
    const { s, owner } = accepted()
    for (const [from, to] of [
      [901, 1001],
      [401, 501],
      [351, 551],
      [101, 201],
      [151, 451],
      [501, 951],
      [1, 120],
    ] as const) {
      s.send(`. ${from}:${to}(${to - from}) ack 1 win 512`)
    }
    expect(owner.received).toEqual(stream(1, 1001))
    expect(s.memory.inUse).toBe(0)
  })

  test('holds a slot a segment, and tiny ones share (N2)', () => {
    const { s, owner } = accepted()
    for (let i = 1; i < 300; i++) s.send(`. ${1 + i}:${2 + i}(1) ack 1 win 512`)
    expect(s.stack.stats().reassemblySlots).toBe(1)
    s.send('. 1:2(1) ack 1 win 512')
    expect(owner.received).toEqual(stream(1, 301))
    expect(s.memory.inUse).toBe(0)
  })

  test('drops what does not fit its bound, but always takes what comes next (N2)', () => {
    const { s, owner } = accepted(undefined, { limits: { reassemblyShare: 8 / 4096 } })
    for (let i = 1; i < 10; i++) s.send(`. ${1 + i * 1400}:${1401 + i * 1400}(1400) ack 1 win 512`)
    expect(s.stack.counters.tcpReassemblyFull).toBe(5)
    s.send('. 1:1401(1400) ack 1 win 512')
    expect(owner.received).toEqual(stream(1, 7001))
    expect(s.memory.inUse).toBe(0)
  })

  test('is given back when the connection goes', () => {
    const { s, c } = accepted()
    s.send('. 1401:2801(1400) ack 1 win 512')
    expect(s.memory.inUse).toBe(1)
    c.reset(s.now)
    s.flush()
    expect(s.memory.inUse).toBe(0)
    expect(s.stack.stats().reassemblySlots).toBe(0)
  })
})

describe('a segment', () => {
  test('partly old or partly beyond the window gives the part that is in it (N1)', () => {
    const limits = { receiveBuffer: 1000, maxReceiveBuffer: 1000 }
    const { s, owner } = accepted(undefined, { limits })
    owner.reading = false
    s.send('. 1:301(300) ack 1 win 512').skip()
    s.send('. 201:1401(1200) ack 1 win 512').expect('. 1:1(0) ack 1001 win 0')
    owner.readAll()
    expect(owner.received).toEqual(stream(1, 1001))
  })

  test('wholly outside the window is answered and dropped (N1)', () => {
    const { s, owner } = accepted()
    s.send('. 900001:900101(100) ack 1 win 512').expect('. 1:1(0) ack 1')
    expect(owner.received.length).toBe(0)
    expect(s.memory.inUse).toBe(0)
    expect(s.stack.counters.tcpOutOfWindow).toBe(1)
  })

  test('that acknowledges what was never sent is challenged, with its data dropped (N9)', () => {
    const { s, owner } = accepted()
    s.send('P. 1:11(10) ack 99 win 512').expect('. 1:1(0) ack 1')
    expect(owner.received.length).toBe(0)
  })

  test('without any flag is dropped', () => {
    const { s, owner } = accepted()
    s.send('P 1:11(10) win 512').expectNothing()
    expect(owner.received.length).toBe(0)
    expect(s.stack.counters.tcpNoAck).toBe(1)
  })

  test('with URG is taken as any other', () => {
    const { s, owner } = accepted()
    s.send('PU. 1:11(10) ack 1 win 512')
    expect(owner.received).toEqual(stream(1, 11))
  })

  test('with SYN is challenged, in the window or not (N9)', () => {
    const { s, owner } = accepted()
    s.send('S 1:1(0) win 512').expect('. 1:1(0) ack 1')
    s.wait(1000).send('S 5000:5000(0) win 512').expect('. 1:1(0) ack 1')
    expect(owner.isClosed).toBe(false)
  })
})

describe('challenge ACKs', () => {
  test('leave twice a second a connection at most; keepalives and probes are answered all the same (N9)', () => {
    const { s } = accepted()
    for (let i = 0; i < 20; i++) s.send('R 100:100(0)')
    expect(s.take()).toHaveLength(1)
    for (let i = 0; i < 20; i++) s.send('. 0:0(0) ack 1 win 512')
    expect(s.take()).toHaveLength(20)
    s.wait(600)
    for (let i = 0; i < 20; i++) s.send('R 100:100(0)')
    expect(s.take()).toHaveLength(1)
  })
})

test('a reader that lags holds slabs, not slots, and of tiny segments not many', () => {
  const { s, c, owner } = accepted()
  owner.reading = false
  for (let next = 1; next <= 20_000; next++) s.send(`. ${next}:${next + 1}(1) ack 1 win 512`)
  s.skip()
  expect(s.memory.inUse).toBe(0)
  let slabs = 0
  for (let slab = c.read(); slab instanceof Uint8Array; slab = c.read()) slabs++
  expect(slabs).toBeLessThan(10)
})
