import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../../../../src/core/netstack/limits.js'
import type { Connection } from '../../../../src/core/netstack/tcp/connection.js'
import { windowShiftFor } from '../../../../src/core/netstack/tcp/receive-window.js'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { accepted, payload } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

describe('the window we offer', () => {
  test('closes as bytes wait to be read, never takes back what it gave, and opens by a segment at least (N1) (N5)', () => {
    const limits = { receiveBuffer: 4000, maxReceiveBuffer: 4000 }
    const { s, c, owner } = accepted('mss 1000,sackOK,wscale 7', { limits })
    owner.reading = false
    s.send('. 1:1001(1000) ack 1 win 512').expect('. 1:1(0) ack 1001 win 3000')
    s.send('. 1001:2001(1000) ack 1 win 512').expect('. 1:1(0) ack 2001 win 2000')
    s.send('. 2001:3001(1000) ack 1 win 512').expect('. 1:1(0) ack 3001 win 1000')
    s.send('. 3001:4001(1000) ack 1 win 512').expect('. 1:1(0) ack 4001 win 0')
    c.read()
    s.expect('. 1:1(0) ack 4001 win 1000')
  })

  test('does not move by less than a segment, in ACKs that leave for other reasons either (N5)', () => {
    const limits = { receiveBuffer: 4000, maxReceiveBuffer: 4000 }
    const { s, c, owner } = accepted('mss 1000,sackOK,wscale 7', { limits })
    owner.reading = false
    s.send('. 1:101(100) ack 1 win 512').expect('. 1:1(0) ack 101 win 3900')
    s.send('. 101:1101(1000) ack 1 win 512').expect('. 1:1(0) ack 1101 win 2900')
    expect(c.read()?.length).toBe(100)
    s.send('. 1101:2101(1000) ack 1 win 512').expect('. 1:1(0) ack 2101 win 1900')
  })

  test('keeps its right edge while it closes, whatever the scale rounds away (N1)', () => {
    const { s, owner } = accepted('mss 1460,sackOK,wscale 7')
    owner.reading = false
    let edge = 0
    for (let next = 1; next < 250_000; next += 1460) {
      s.send(`. ${next}:${next + 1460}(1460) ack 1 win 512`)
      for (const line of s.take()) {
        const [, ack, win] = /ack (\d+) win (\d+)/.exec(line) as RegExpExecArray
        const promised = Number(ack) + Number(win) * 1024
        expect(promised).toBeGreaterThanOrEqual(edge)
        edge = promised
      }
    }
    expect(edge).toBeLessThan(1.5 * 256 * 1024)
  })

  test('is not announced for a few bytes (N5)', () => {
    const limits = { receiveBuffer: 4000, maxReceiveBuffer: 4000 }
    const { s, c, owner } = accepted('mss 1000,sackOK,wscale 7', { limits })
    owner.reading = false
    s.sendOnly('. 1:101(100) ack 1 win 512').send('. 101:4001(1300) ack 1 win 512'.replace('4001(1300)', '1401(1300)'))
    for (const [from, to] of [
      [1401, 2801],
      [2801, 4001],
    ] as const) {
      s.send(`. ${from}:${to}(${to - from}) ack 1 win 512`)
    }
    s.skip()
    c.read()
    s.expect('. 1:1(0) ack 4001 win 1400')
  })

  test('closed, still takes an ACK and a RST, and answers a probe without taking its byte (N1)', () => {
    const limits = { receiveBuffer: 1000, maxReceiveBuffer: 1000 }
    const { s, c, owner } = accepted('mss 1000,sackOK,wscale 7', { limits })
    owner.reading = false
    s.send('. 1:1001(1000) ack 1 win 512').expect('. 1:1(0) ack 1001 win 0')
    c.write(payload(10), 0, s.now)
    s.expect('P. 1:11(10) ack 1001 win 0')
    s.send('. 1001:1002(1) ack 11 win 512').expect('. 11:11(0) ack 1001 win 0')
    expect(c.bytesQueued).toBe(0)
    s.send('R 1001:1001(0)')
    expect(owner.error).toBe('ECONNRESET')
  })

  test('starts at 256 KiB and doubles each round trip in which the reader took half of it (N10)', () => {
    const { s, owner } = accepted('mss 1460,sackOK,wscale 7')
    s.send('. 1:1461(1460) ack 1 win 512')
    const first = lastWindow(s)
    expect(first).toBeGreaterThanOrEqual(256 - 2)
    let next = 1461
    for (let round = 0; round < 4; round++) {
      for (const end = next + first * 1024 * 2 ** round * 0.8; next < end; next += 1460) {
        s.sendOnly(`. ${next}:${next + 1460}(1460) ack 1 win 512`)
        if (next % 97 === 0) s.flush()
      }
      s.flush().wait(100)
    }
    expect(owner.received.length).toBe(next - 1)
    expect(lastWindow(s)).toBeGreaterThan(first * 4)
  })

  test('does not grow for a reader that lags (N10)', () => {
    const { s, owner } = accepted('mss 1460,sackOK,wscale 7')
    owner.reading = false
    for (let next = 1; next < 200_000; next += 1460) s.send(`. ${next}:${next + 1460}(1460) ack 1 win 512`)
    s.skip()
    expect(owner.connection?.bytesReadable).toBeGreaterThanOrEqual(200_000)
    s.wait(1000)
    owner.readAll()
    expect(lastWindow(s)).toBeLessThanOrEqual(512)
  })

  test('has grown to 32 MiB for a reader that kept up, is small again after a silence, and gives back nothing (N10)', () => {
    const { s, c, owner } = accepted('mss 1460,sackOK,TS val 1 ecr 0,wscale 7')
    let next = 1
    let stamp = 1
    const send = (bytes: number) => {
      for (const end = next + bytes; next < end; next += 1448) {
        s.sendOnly(`. ${next}:${next + 1448}(1448) ack 1 win 512 <TS val ${stamp++} ecr 0>`)
        if (next % 31 === 0) s.flush()
      }
      s.flush().wait(100)
    }
    const tcb = c as Connection
    for (let window = 256 * 1024; window < 16 * 1024 * 1024; window *= 2) send(window)
    expect(tcb.receiveBuffer).toBeGreaterThanOrEqual(8 * 1024 * 1024)
    const edge = tcb.rcvAdv
    s.wait(10_000)
    send(1448)
    expect(tcb.receiveBuffer).toBe(256 * 1024)
    expect(tcb.rcvAdv).toBe(edge)
    expect(owner.received.length).toBe(next - 1)
    for (let i = 0; i < 3; i++) send(256 * 1024)
    expect(tcb.receiveBuffer).toBeGreaterThan(256 * 1024)
  })

  test('is scaled, from the SYN on, so that 32 MiB can be offered (N10)', () => {
    const shift = windowShiftFor(defaultLimits.maxReceiveBuffer)
    expect(0xffff << shift).toBeGreaterThanOrEqual(32 * 1024 * 1024 - (1 << shift))
    const s = new TcpScript()
    s.stack.connect({ address: s.peer, port: s.peerPort }, new Recorder(), s.now)
    expect(s.take()[0]).toContain(`wscale ${shift}`)
  })

  test('of a connection without window scale is at most 64 KiB (N10)', () => {
    const { s } = accepted('mss 1460')
    s.send('. 1:1461(1460) ack 1').expect('. 1:1(0) ack 1461 win 64075')
    s.send('. 1461:1462(1) ack 1').expect('. 1:1(0) ack 1462 win 65534')
  })

  function lastWindow(s: TcpScript): number {
    return Number(/win (\d+)/.exec(s.take().at(-1) as string)?.[1])
  }
})
