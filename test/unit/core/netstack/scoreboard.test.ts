import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SharedBudget } from '../../../../src/core/netstack/shared-budget.js'
import { tally } from '../../../../src/core/netstack/tcp/ack-tally.js'
import { type Lanes, LanesPool } from '../../../../src/core/netstack/tcp/lanes.js'
import type { RecordList } from '../../../../src/core/netstack/tcp/record-list.js'
import { resegment } from '../../../../src/core/netstack/tcp/resegment.js'
import { Scoreboard } from '../../../../src/core/netstack/tcp/scoreboard.js'

function createBoard(): Scoreboard {
  return new Scoreboard(new LanesPool(), new SharedBudget(1 << 30).join(1))
}

interface Segment {
  start: number
  end: number
  sentAt: number
  sacked: boolean
  lost: boolean
  resent: boolean
}

/** The scoreboard as plainly as it can be said: one object a segment, walked each time. */
class Model {
  segments: Segment[] = []
  delivered = 0
  onceSentAt = -1
  newestSentAt = -1
  reordered = false
  #fack = 0

  sent(start: number, length: number, sentAt: number): void {
    if (this.segments.length === 0) this.#fack = start
    this.segments.push({ start, end: start + length, sentAt, sacked: false, lost: false, resent: false })
  }

  startAck(): void {
    this.delivered = 0
    this.onceSentAt = -1
    this.newestSentAt = -1
    this.reordered = false
  }

  #deliver(segment: Segment): void {
    if (segment.sacked) return
    this.delivered += segment.end - segment.start
    this.newestSentAt = Math.max(this.newestSentAt, segment.sentAt)
    if (!segment.resent) {
      this.onceSentAt = Math.max(this.onceSentAt, segment.sentAt)
      if (segment.end < this.#fack) this.reordered = true
    }
    this.#fack = Math.max(this.#fack, segment.end)
  }

  acknowledge(ack: number): void {
    for (const segment of this.segments) if (segment.end <= ack) this.#deliver(segment)
    this.segments = this.segments.filter(segment => segment.end > ack)
    const head = this.segments[0]
    if (head === undefined || head.start >= ack) return
    if (!head.sacked) this.delivered += ack - head.start
    head.start = ack
  }

  sack(start: number, end: number): void {
    const last = this.segments.at(-1)
    const head = this.segments[0]
    if (head === undefined || last === undefined || start >= end || end > last.end || start < head.start) return
    for (const segment of this.segments) {
      if (segment.start < start || segment.end > end) continue
      this.#deliver(segment)
      segment.sacked = true
      segment.lost = false
    }
  }

  sum(of: 'sacked' | 'lost'): number {
    return this.segments.reduce((sum, segment) => sum + (segment[of] ? segment.end - segment.start : 0), 0)
  }

  get lost(): number[] {
    return this.segments.filter(segment => segment.lost).map(segment => segment.start)
  }

  /** By time sent, those of one time by sequence. */
  get underWay(): number[] {
    return this.segments
      .filter(segment => !segment.lost && !segment.sacked)
      .sort((a, b) => a.sentAt - b.sentAt || a.start - b.start)
      .map(segment => segment.start)
  }
}

function listed(board: Scoreboard, list: RecordList, base: number): number[] {
  const starts = []
  for (let place = list.first; place >= 0; place = list.next(board.lanes as Lanes, place))
    starts.push((board.sequenceOf(board.at(place)) - base) | 0)
  return starts
}

const action = fc.oneof(
  fc.record({ type: fc.constant('send' as const), length: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('ack' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    type: fc.constant('sack' as const),
    from: fc.double({ min: -0.1, max: 1.1, noNaN: true }),
    size: fc.integer({ min: -1, max: 20 }),
  }),
  fc.record({ type: fc.constant('lose' as const), at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }) }),
  fc.record({ type: fc.constant('resend' as const) }),
  fc.record({ type: fc.constant('unmark' as const) }),
  fc.record({ type: fc.constant('renege' as const) }),
)

describe('the scoreboard', () => {
  test('knows at every step what a plain list of segments knows', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 200 }),
        fc.integer({ min: -0x80000000, max: 0x7fffffff }),
        (actions, base) => {
          const board = createBoard()
          const model = new Model()
          let next = 0
          let una = 0
          let now = 0
          const sequence = (position: number) => (base + position) | 0
          for (const step of actions) {
            now++
            tally.start(Infinity)
            model.startAck()
            if (step.type === 'send') {
              for (let i = 0; i < 4; i++, next += step.length) {
                board.sent(sequence(next), step.length, now)
                model.sent(next, step.length, now)
              }
            } else if (step.type === 'ack') {
              una += Math.floor((next - una) * step.share ** 3)
              board.acknowledge(sequence(una))
              model.acknowledge(una)
            } else if (step.type === 'sack' && board.count > 0) {
              const from = Math.floor(una + (next - una) * step.from)
              board.sack(sequence(from), sequence(from + step.size))
              model.sack(from, from + step.size)
            } else if (step.type === 'lose' && board.count > 0) {
              const index = Math.floor(board.count * step.at)
              board.markLost(board.head + index)
              const segment = model.segments[index] as Segment
              if (!segment.sacked) segment.lost = true
            } else if (step.type === 'resend') {
              const record = board.nextLost()
              if (record >= 0) {
                const segment = model.segments.find(one => one.start === model.lost[0]) as Segment
                segment.lost = false
                segment.resent = true
                segment.sentAt = now
                board.resent(record, now)
              }
            } else if (step.type === 'unmark') {
              for (const segment of model.segments) segment.lost = false
              board.unmarkLost()
            } else if (step.type === 'renege' && board.count > 0) {
              for (const segment of model.segments) segment.sacked = false
              board.forgetSacks()
            }
            expect(board.count).toBe(model.segments.length)
            expect(board.sackedBytes).toBe(model.sum('sacked'))
            expect(board.sackedSegments).toBe(model.segments.filter(segment => segment.sacked).length)
            expect(board.lostBytes).toBe(model.sum('lost'))
            expect(listed(board, board.lost, base)).toEqual(model.lost)
            expect(listed(board, board.underWay, base)).toEqual(model.underWay)
            expect(tally.delivered).toBe(model.delivered)
            expect(tally.onceSentAt).toBe(model.onceSentAt)
            expect(tally.sentAt).toBe(model.newestSentAt)
            expect(tally.reordered).toBe(model.reordered)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  test('costs the same for each segment that is lost again, however many wait to be resent behind them', () => {
    const board = createBoard()
    const count = 4096
    for (let i = 0; i < count; i++) board.sent(i * 10, 10, i)
    for (let i = 0; i < count; i++) board.markLost(i)
    for (let i = 0; i < count / 2; i++) board.resent(i, count + i)
    const lanes = board.lanes as Lanes
    let looks = 0
    const words = new Proxy(lanes.words, {
      get(target, key) {
        looks++
        return target[key as unknown as number]
      },
    })
    board.lanes = { ...lanes, words }
    for (let i = 0; i < count / 2; i++) board.markLost(i)
    board.lanes = lanes
    expect(listed(board, board.lost, 0)).toEqual(Array.from({ length: count }, (_, i) => i * 10))
    expect(looks).toBeLessThan(20 * count)
  })

  test('samples the newest segment that was sent once', () => {
    const board = createBoard()
    for (let i = 0; i < 4; i++) board.sent(i * 10, 10, 100 + i)
    board.resent(3, 200)
    tally.start(Infinity)
    board.acknowledge(20)
    expect(tally).toMatchObject({ onceSentAt: 101, delivered: 20 })
    tally.start(Infinity)
    board.sack(30, 40)
    expect(tally).toMatchObject({ onceSentAt: -1, delivered: 10, rackSentAt: 200 })
    tally.start(Infinity)
    board.acknowledge(40)
    expect(tally).toMatchObject({ onceSentAt: 102, delivered: 10 })
    expect(board.count).toBe(0)
  })

  test('cuts what is too long for a narrower path, and finds exactly that lost', () => {
    const board = createBoard()
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
