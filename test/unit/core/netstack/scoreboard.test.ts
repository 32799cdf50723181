import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LanesPool } from '../../../../src/core/netstack/tcp/lanes.js'
import { resegment } from '../../../../src/core/netstack/tcp/resegment.js'
import { Scoreboard } from '../../../../src/core/netstack/tcp/scoreboard.js'

/** The scoreboard as plainly as it can be said: one object a segment, walked each time. */
class Model {
  segments: { start: number; end: number; sacked: boolean; lost: boolean; judged: boolean }[] = []

  sent(start: number, length: number): void {
    this.segments.push({ start, end: start + length, sacked: false, lost: false, judged: false })
  }

  acknowledge(ack: number): void {
    this.segments = this.segments.filter(segment => segment.end > ack)
    const head = this.segments[0]
    if (head !== undefined && head.start < ack) head.start = ack
  }

  sack(start: number, end: number): void {
    const last = this.segments.at(-1)
    const head = this.segments[0]
    if (head === undefined || last === undefined || start >= end || end > last.end || start < head.start) return
    for (const segment of this.segments) {
      if (segment.start < start || segment.end > end) continue
      segment.sacked = true
      segment.lost = false
    }
  }

  detectLost(): void {
    for (const [i, segment] of this.segments.entries()) {
      if (segment.judged) continue
      const above = this.segments.slice(i + 1).filter(other => other.sacked).length
      if (above < 3) continue
      segment.judged = true
      if (!segment.sacked) segment.lost = true
    }
  }

  sum(of: 'sacked' | 'lost'): number {
    return this.segments.reduce((sum, segment) => sum + (segment[of] ? segment.end - segment.start : 0), 0)
  }

  get firstLost(): number {
    return this.segments.find(segment => segment.lost)?.start ?? -1
  }
}

const action = fc.oneof(
  fc.record({ type: fc.constant('send' as const), length: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('ack' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    type: fc.constant('sack' as const),
    from: fc.double({ min: -0.1, max: 1.1, noNaN: true }),
    size: fc.integer({ min: -1, max: 20 }),
  }),
  fc.record({ type: fc.constant('resend' as const) }),
  fc.record({ type: fc.constant('timeout' as const) }),
)

describe('the scoreboard', () => {
  test('knows at every step what a plain list of segments knows', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 200 }),
        fc.integer({ min: -0x80000000, max: 0x7fffffff }),
        (actions, base) => {
          const board = new Scoreboard(new LanesPool())
          const model = new Model()
          let next = 0
          let una = 0
          const sequence = (position: number) => (base + position) | 0
          for (const step of actions) {
            if (step.type === 'send') {
              for (let i = 0; i < 4; i++, next += step.length) {
                board.sent(sequence(next), step.length, 0)
                model.sent(next, step.length)
              }
            } else if (step.type === 'ack') {
              una += Math.floor((next - una) * step.share ** 3)
              board.startAck()
              board.acknowledge(sequence(una))
              model.acknowledge(una)
            } else if (step.type === 'sack' && board.count > 0) {
              const from = Math.floor(una + (next - una) * step.from)
              board.sack(sequence(from), sequence(from + step.size))
              model.sack(from, from + step.size)
              board.detectLost(3)
              model.detectLost()
            } else if (step.type === 'resend') {
              const record = board.nextLost()
              if (record >= 0) {
                const start = (board.sequenceOf(record) - base) | 0
                const segment = model.segments.find(one => one.start === start)
                if (segment !== undefined) segment.lost = false
                board.resent(record, 1)
              }
            } else if (step.type === 'timeout' && board.count > 0) {
              if (model.segments[0]?.sacked) for (const segment of model.segments) segment.sacked = false
              for (const segment of model.segments) {
                segment.lost = !segment.sacked
                segment.judged = true
              }
              board.markAllLost()
            }
            expect(board.count).toBe(model.segments.length)
            expect(board.sackedBytes).toBe(model.sum('sacked'))
            expect(board.lostBytes).toBe(model.sum('lost'))
            const lost = board.nextLost()
            expect(lost < 0 ? -1 : (board.sequenceOf(lost) - base) | 0).toBe(model.firstLost)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  test('samples the newest segment that was sent once', () => {
    const board = new Scoreboard(new LanesPool())
    for (let i = 0; i < 4; i++) board.sent(i * 10, 10, 100 + i)
    board.resent(3, 200)
    board.startAck()
    board.acknowledge(20)
    expect(board).toMatchObject({ sampleSentAt: 101, deliveredBytes: 20 })
    board.startAck()
    board.sack(30, 40)
    expect(board).toMatchObject({ sampleSentAt: -1, deliveredBytes: 10 })
    board.startAck()
    board.acknowledge(40)
    expect(board).toMatchObject({ sampleSentAt: 102, deliveredBytes: 10, count: 0 })
  })

  test('cuts what is too long for a narrower path, and finds exactly that lost', () => {
    const board = new Scoreboard(new LanesPool())
    board.sent(0, 1000, 1)
    board.sent(1000, 300, 2)
    board.sent(1300, 1000, 3)
    board.sent(2300, 401, 4)
    board.sack(1300, 2300)
    resegment(board, 400, true)
    const pieces = Array.from({ length: board.count }, (_, i) => [board.sequenceOf(i), board.lengthOf(i)])
    expect(pieces).toEqual([
      [0, 400],
      [400, 400],
      [800, 200],
      [1000, 300],
      [1300, 400],
      [1700, 400],
      [2100, 200],
      [2300, 401],
    ])
    expect(board).toMatchObject({ sackedBytes: 1000, lostBytes: 1000 })
  })
})
