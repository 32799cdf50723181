// The scenarios that take more packets than a script can name: reordering, duplicates, loss, and a burst of 300 lost, over
// 100 Mbit/s and a round trip of 100 ms, with each congestion control, and sent by the side that dialled and by the other.
import { describe, expect, it } from 'vitest'
import { type CongestionControlName, congestionControls } from '../../src/core/netstack/congestion-control.js'
import { createPair, type LinkOptions } from '../support/netstack-pair.js'
import { StreamOwner } from '../support/tcp-endpoints.js'

const megabyte = 1_000_000
/** Bytes a millisecond: 100 Mbit/s. */
const rate = 12_500
const delay = 50
const packetTime = 1420 / rate

interface Run {
  bytes?: number
  congestion: CongestionControlName
  /** Who sends: 'a' dials. */
  sender?: 'a' | 'b'
  /** What is special about the way of the data, and of the ACKs. */
  data?: LinkOptions
  acks?: LinkOptions
  seed?: number
}

interface Outcome {
  /** Virtual ms until everything was there. */
  took: number
  sent: number
  retransmits: number
  timeouts: number
}

/** Carries known bytes one way, and looks at each of them. */
function carry({ bytes = 10 * megabyte, congestion, sender = 'a', data, acks, seed = 1 }: Run): Outcome {
  const limits = { congestion }
  // Nothing overflows: what is lost is what a test loses.
  const path = { delay, rate }
  const pair = createPair({
    seed,
    slots: 16384,
    a: limits,
    b: limits,
    forward: { ...path, ...(sender === 'a' ? data : acks) },
    back: { ...path, ...(sender === 'a' ? acks : data) },
  })
  const server = new StreamOwner(2, 1, sender === 'a' ? 0 : bytes, () => pair.now)
  pair.b.stack.listen({ port: 80 }, connection => server.start(connection))
  const client = new StreamOwner(1, 2, sender === 'a' ? bytes : 0, () => pair.now)
  const started = pair.now
  client.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, client, pair.now))
  const reader = sender === 'a' ? server : client
  const whole = pair.run(() => reader.ended, started + 600_000)
  expect(reader.wrong).toBe(-1)
  expect(reader.read).toBe(bytes)
  expect(whole).toBe(true)
  const took = pair.now - started
  pair.run(() => client.isClosed && server.isClosed, pair.now + 600_000)
  expect([client.error, server.error]).toEqual([undefined, undefined])
  const { counters } = pair[sender].stack
  return {
    took,
    sent: pair[sender].sent,
    retransmits: counters.tcpRetransmits,
    timeouts: counters.tcpTimeouts,
  }
}

const names = Object.keys(congestionControls) as CongestionControlName[]
const clean = Object.fromEntries(names.map(name => [name, carry({ congestion: name }).took])) as Record<
  CongestionControlName,
  number
>

/** Each `every`-th packet is overtaken by the `by` that follow it. */
function overtaken(every: number, by: number): LinkOptions {
  let count = 0
  return { extra: () => (++count % every === 0 ? (by + 0.5) * packetTime : 0) }
}

/** Nothing was lost: what is sent twice, and what takes longer, is a wrong guess. */
function expectUndisturbed(outcome: Outcome, congestion: CongestionControlName): void {
  expect(outcome.timeouts).toBe(0)
  expect(outcome.retransmits).toBeLessThanOrEqual(5)
  // A round trip more is what a last segment that is late, and a dial by the other side, may cost.
  expect(outcome.took).toBeLessThan(clean[congestion] * 1.1 + 2 * delay)
}

for (const congestion of names) {
  for (const sender of ['a', 'b'] as const) {
    describe(`${congestion}, data from the side that ${sender === 'a' ? 'dialled' : 'was dialled'}`, () => {
      for (const by of [1, 2, 3, 10, 30, 100, 300]) {
        it(`in segments of which one in a hundred is overtaken by ${by}: reordering is not loss (S-reorder) (N12)`, () =>
          expectUndisturbed(carry({ congestion, sender, data: overtaken(100, by) }), congestion))
      }

      it('with one acknowledgement in ten overtaken by 300 (S-reorder)', () =>
        expectUndisturbed(carry({ congestion, sender, acks: overtaken(10, 300) }), congestion))

      it('with 1 % of duplicates each way (S-duplicates)', () => {
        const twice = { duplicate: 0.01 }
        expectUndisturbed(carry({ congestion, sender, data: twice, acks: twice }), congestion)
      })

      for (const percent of [0, 0.1, 0.5, 1, 2, 3, 5]) {
        it(`with ${percent} % of loss each way: what is lost goes again, and hardly anything else (S-loss)`, () => {
          const loss = percent / 100
          const outcome = carry({ bytes: 2 * megabyte, congestion, sender, data: { loss }, acks: { loss } })
          expect(outcome.retransmits / outcome.sent).toBeLessThan(loss * 1.5 + 0.002)
          expect(outcome.timeouts).toBeLessThanOrEqual(2)
          // What CUBIC makes of loss is in its equation, not here.
          if (congestion === 'bbr') expect(outcome.took).toBeLessThan(2500)
        })
      }

      it('after a burst of 300 lost in slow start: each goes again once, without a timeout (S-burst) (N12)', () => {
        let large = 0
        let lost = 0
        const drop = (packet: Uint8Array) => {
          if (packet.length < 1000 || ++large <= 400 || lost === 300) return false
          lost++
          return true
        }
        const outcome = carry({ congestion, sender, data: { drop } })
        expect(lost).toBe(300)
        expect(outcome.timeouts).toBe(0)
        expect(outcome.retransmits).toBeLessThanOrEqual(305)
        expect(outcome.took).toBeLessThan(clean[congestion] * 2.5)
      })
    })
  }
}
