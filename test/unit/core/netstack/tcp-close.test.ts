import { describe, expect, test } from 'vitest'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { accepted, dialled, payload } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

describe('an orderly close', () => {
  test('by us first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT (N6)', () => {
    const { s, c, owner } = dialled()
    c.end(s.now)
    s.expect('F. 1:1(0) ack 1')
    expect(c.state).toBe('fin-wait-1')
    s.send('. 1:1(0) ack 2 win 512')
    expect(c.state).toBe('fin-wait-2')
    s.send('F. 1:1(0) ack 2 win 512').expect('. 2:2(0) ack 2')
    expect(c.state).toBe('closed')
    expect(owner.log).toEqual(['connected', 'allSent', 'readable', 'closed'])
    expect(owner.ended).toBe(true)
    expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 1 })
  })

  test('by the peer first: CLOSE-WAIT, LAST-ACK, and nothing left (N6)', () => {
    const { s, c, owner } = dialled()
    s.send('F. 1:1(0) ack 1 win 512').expect('. 1:1(0) ack 2')
    expect(c.state).toBe('close-wait')
    expect(owner.ended).toBe(true)
    c.end(s.now)
    s.expect('F. 1:1(0) ack 2')
    expect(c.state).toBe('last-ack')
    s.send('. 2:2(0) ack 2 win 512').expectNothing()
    expect(owner.log.at(-1)).toBe('closed')
    expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 0 })
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })

  test('by both at once: CLOSING, TIME-WAIT (N6) (N18)', () => {
    const { s, c, owner } = dialled()
    c.end(s.now)
    s.expect('F. 1:1(0) ack 1')
    s.send('F. 1:1(0) ack 1 win 512').expect('. 2:2(0) ack 2')
    expect(c.state).toBe('closing')
    s.send('. 2:2(0) ack 2 win 512')
    expect(owner.log.at(-1)).toBe('closed')
    expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 1 })
  })

  test('by a FIN that acknowledges ours: straight to TIME-WAIT (N6)', () => {
    const { s, c } = dialled()
    c.end(s.now)
    s.expect('F. 1:1(0) ack 1')
    s.send('F. 1:1(0) ack 2 win 512').expect('. 2:2(0) ack 2')
    expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 1 })
  })

  test('sends everything that was written before the FIN, which rides on the last segment', () => {
    const { s, c } = dialled()
    c.write(payload(2000), 0, s.now)
    c.end(s.now)
    s.expect('. 1:1461(1460) ack 1').expect('FP. 1461:2001(540) ack 1').expectNothing()
  })

  test('resends a lost FIN with its data (N6)', () => {
    const { s, c } = dialled()
    c.write(payload(10), 0, s.now)
    c.end(s.now)
    s.expect('FP. 1:11(10) ack 1')
    s.wait(150).expectNothing()
    s.wait(500).expect('FP. 1:11(10) ack 1')
  })

  test('writes nothing after end()', () => {
    const { s, c } = dialled()
    c.end(s.now)
    expect(c.write(payload(10), 0, s.now)).toBe(0)
    c.end(s.now)
    s.expect('F. 1:1(0) ack 1').expectNothing()
  })
})

describe('a half-close', () => {
  test('by us: reading goes on (N6)', () => {
    const { s, c, owner } = dialled()
    c.end(s.now)
    s.expect('F. 1:1(0)').send('. 1:1(0) ack 2 win 512')
    for (let i = 0; i < 20; i++) s.send(`. ${1 + i * 1460}:${1 + (i + 1) * 1460}(1460) ack 2 win 512`)
    expect(owner.received.length).toBe(29_200)
    s.wait(300_000)
    expect(c.state).toBe('fin-wait-2')
    s.send('F. 29201:29201(0) ack 2 win 512')
    expect(owner.log.at(-1)).toBe('closed')
  })

  test('by the peer: writing goes on (N6)', () => {
    const { s, c, owner } = dialled()
    s.send('F. 1:1(0) ack 1 win 512').expect('. 1:1(0) ack 2')
    c.write(payload(100), 0, s.now)
    s.expect('P. 1:101(100) ack 2')
    s.send('. 2:2(0) ack 101 win 512')
    c.write(payload(100), 0, s.now)
    s.expect('P. 101:201(100) ack 2')
    expect(owner.isClosed).toBe(false)
  })
})

describe("the peer's FIN", () => {
  test('behind a hole waits for what is missing (N2)', () => {
    const { s, c, owner } = dialled()
    s.send('F. 1461:1461(0) ack 1 win 512').expect('. 1:1(0) ack 1')
    expect(c.state).toBe('established')
    s.send('. 1:1461(1460) ack 1 win 512').expect('. 1:1(0) ack 1462')
    expect(c.state).toBe('close-wait')
    expect(owner.received.length).toBe(1460)
    expect(owner.ended).toBe(true)
  })

  test('with data behind a hole waits for what is missing (N2)', () => {
    const { s, owner } = dialled()
    s.send('FP. 1461:1471(10) ack 1 win 512').expect('. 1:1(0) ack 1 <sack 1461:1471>')
    s.send('. 1:1461(1460) ack 1 win 512').expect('. 1:1(0) ack 1472')
    expect(owner.received.length).toBe(1470)
    expect(owner.ended).toBe(true)
  })

  test('is acknowledged again when it comes again', () => {
    const { s } = dialled()
    s.send('F. 1:1(0) ack 1 win 512').expect('. 1:1(0) ack 2')
    s.send('F. 1:1(0) ack 1 win 512').expect('. 1:1(0) ack 2')
  })

  test('before data that was received already is none (N2)', () => {
    const { s, c, owner } = dialled()
    s.send('. 1001:1101(100) ack 1 win 512').skip()
    s.send('F. 401:501(100) ack 1 win 512').skip()
    s.send('. 1:401(400) ack 1 win 512').send('. 501:1001(500) ack 1 win 512').skip()
    expect(owner.received.length).toBe(1100)
    expect(c.state).toBe('established')
    s.send('F. 1101:1101(0) ack 1 win 512')
    expect(owner.ended).toBe(true)
  })

  test('ends the stream: data behind it is not taken', () => {
    const { s, owner } = dialled()
    s.send('F. 1:1(0) ack 1 win 512').skip()
    s.send('P. 2:12(10) ack 1 win 512')
    expect(owner.received.length).toBe(0)
  })
})

describe('letting go', () => {
  test('with bytes received and not read resets (N6)', () => {
    const { s, c, owner } = dialled()
    owner.reading = false
    s.send('P. 1:11(10) ack 1 win 512').skip()
    c.destroy(s.now)
    s.expect('R. 1:1(0) ack 11')
    expect(owner.log.at(-1)).toBe('closed')
    expect(s.stack.stats().connections).toBe(0)
  })

  test('sends what is queued and a FIN, without an owner', () => {
    const { s, c, owner } = dialled()
    c.write(payload(10), 0, s.now)
    c.destroy(s.now)
    s.expect('FP. 1:11(10) ack 1')
    expect(owner.log.at(-1)).toBe('closed')
    expect(s.stack.stats()).toMatchObject({ connections: 1, orphans: 1 })
    s.send('. 1:1(0) ack 12 win 512').send('F. 1:1(0) ack 12 win 512').expect('. 12:12(0) ack 2')
    expect(s.stack.stats()).toMatchObject({ connections: 0, orphans: 0, timeWait: 1 })
    expect(owner.log.filter(event => event.startsWith('closed'))).toHaveLength(1)
  })

  test('answers data that still comes with a RST (N6)', () => {
    const { s, c } = dialled()
    c.destroy(s.now)
    s.expect('F. 1:1(0)')
    s.send('P. 1:11(10) ack 2 win 512').expect('R. 2:2(0)')
    expect(s.stack.stats()).toMatchObject({ connections: 0, orphans: 0 })
  })

  test('waits 60 s for the FIN of a peer that never sends one (N6)', () => {
    const { s, c } = dialled()
    c.destroy(s.now)
    s.expect('F. 1:1(0)').send('. 1:1(0) ack 2 win 512')
    s.wait(59_000)
    expect(s.stack.stats().orphans).toBe(1)
    s.wait(1500).skip()
    expect(s.stack.stats()).toMatchObject({ connections: 0, orphans: 0 })
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })

  test('gives an orphan whose data nobody acknowledges 120 s (N4) (N6)', () => {
    const { s, c } = dialled()
    c.write(payload(10), 0, s.now)
    c.destroy(s.now)
    s.wait(119_000)
    expect(s.stack.stats().orphans).toBe(1)
    s.wait(1500)
    expect(s.stack.stats()).toMatchObject({ connections: 0, orphans: 0 })
  })

  test('resets at once where too many orphans wait already (N6)', () => {
    const { s, c } = dialled(undefined, { limits: { orphans: 0 } })
    c.destroy(s.now)
    s.expect('R. 1:1(0)')
    expect(s.stack.counters.tcpOrphansFull).toBe(1)
  })

  test('of a dial forgets it', () => {
    const s = new TcpScript()
    const owner = new Recorder()
    const c = s.stack.connect({ address: s.peer, port: 4000 }, owner, s.now)
    s.expect('S 0:0(0)')
    c.destroy(s.now)
    s.flush().wait(10_000).expectNothing()
    expect(owner.log).toEqual(['closed'])
  })
})

describe('a reset', () => {
  test('of ours is gone at once, and its owner hears only that', () => {
    const { s, c, owner } = accepted()
    owner.reading = false
    s.sendOnly('P. 1:11(10) ack 1 win 512')
    c.reset(s.now)
    s.expect('R. 1:1(0) ack 11').expectNothing()
    expect(owner.log).toEqual(['closed'])
    expect(s.memory.inUse).toBe(0)
  })

  test("of the peer's ends the connection; what was received before can be read", () => {
    const { s, c, owner } = dialled()
    owner.reading = false
    s.send('P. 1:11(10) ack 1 win 512').skip()
    s.send('R 11:11(0)')
    expect(owner.log.at(-1)).toBe('closed ECONNRESET')
    expect(c.read()?.length).toBe(10)
    expect(c.read()).toBeUndefined()
  })

  for (const [state, prepare] of [
    ['established', () => dialled()],
    ['close-wait', () => close(dialled(), 'peer')],
    ['fin-wait-1', () => close(dialled(), 'us')],
  ] as const) {
    test(`in ${state} counts only at RCV.NXT; elsewhere in the window it is challenged, outside it is dropped (N9)`, () => {
      const { s, c, owner } = prepare()
      expect(c.state).toBe(state)
      const next = state === 'close-wait' ? 2 : 1
      s.send(`R ${next + 100}:${next + 100}(0)`)
      s.expect(`. ${state === 'fin-wait-1' ? 2 : 1}:${state === 'fin-wait-1' ? 2 : 1}(0) ack ${next}`)
      s.send(`R ${next + 900_000_000}:${next + 900_000_000}(0)`).expectNothing()
      expect(owner.isClosed).toBe(false)
      s.send(`R ${next}:${next}(0)`).expectNothing()
      expect(owner.error).toBe('ECONNRESET')
    })
  }

  function close(established: ReturnType<typeof dialled>, who: 'us' | 'peer') {
    const { s, c } = established
    if (who === 'us') c.end(s.now)
    else s.send('F. 1:1(0) ack 1 win 512')
    s.skip()
    return established
  }
})

test('closing the stack resets every connection, tells every owner and leaves nothing', () => {
  const { s, owner } = dialled()
  const dialling = new Recorder()
  s.stack.connect({ address: s.peer, port: 9 }, dialling, s.now)
  s.skip()
  s.stack.close(s.now)
  expect(s.take()[0]).toMatch(/^R\. 1:1\(0\)|^R\./)
  expect(owner.error).toBe('ECONNABORTED')
  expect(dialling.error).toBe('ECONNABORTED')
  expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 0, slotsInUse: 0 })
  expect(s.stack.nextDeadline()).toBe(Infinity)
  expect(s.stack.wantsFlush).toBe(false)
  expect(() => s.stack.listen({ port: 1 }, () => owner)).toThrow(expect.objectContaining({ code: 'ECONNABORTED' }))
})
