// One path, one congestion control, one direction, one seed: what came of it. All in virtual time, by `tunless/testing`.
import { createNetwork, createTransfer } from '../../dist/testing/index.js'

/** A transfer that has not ended by then never will, ms. */
const patience = 600_000
/** What an event loop is like: 0.2 ms from an arrival to the turn, and timers of 1 ms. */
const loop = { turn: 0.2, timerTick: 1 }

/** `control` is the sender's; `direction` is `up` where the dialer sends, `down` where the listener does. */
export function measure({ path: row, control, direction, seed, seconds, crypto }) {
  const network = createNetwork({
    seed,
    crypto,
    path: row.path,
    host: { memoryBytes: 64 * 1024 * 1024, congestion: control },
    ...loop,
  })
  const { clock } = network
  const bytes = row.transfer ?? Infinity
  const start = pair => {
    const transfer = createTransfer(clock, {
      from: pair.a,
      to: pair.b,
      [direction === 'up' ? 'there' : 'back']: bytes,
      check: false,
    })
    return direction === 'up'
      ? { sender: transfer.dialer, receiver: transfer.acceptor, transfer }
      : { sender: transfer.acceptor, receiver: transfer.dialer, transfer }
  }
  const flows = Array.from({ length: row.flows ?? 1 }, () => start(network))
  const others = row.beside === undefined ? [] : [start(network.pair({ host: { congestion: row.beside } }))]
  if (row.change !== undefined)
    clock.schedule(row.change.at, () => {
      for (const way of [network.there, network.back]) Object.assign(way.options, row.change.path)
    })
  const all = [...flows, ...others]
  const received = () => all.map(({ receiver }) => receiver.received)

  const warmUp = row.transfer === undefined ? (row.warmUp ?? 1) * 1000 : 0
  clock.runUntil(warmUp)
  const before = received()
  const length = seconds ?? row.seconds ?? 10
  if (row.transfer === undefined) clock.runUntil(warmUp + length * 1000)
  else clock.runWhile(() => all.some(({ transfer }) => !transfer.done), patience)
  const elapsed = (clock.now - warmUp) / 1000
  const rates = received().map((count, index) => ((count - before[index]) * 8) / elapsed / 1e6)
  const own = rates.slice(0, flows.length)
  const goodput = sum(own)
  const stats = flows.map(({ sender }) => sender.connection?.stats)
  const way = (direction === 'up' ? network.there : network.back).counters
  const whole = row.transfer === undefined || flows.every(({ receiver }) => receiver.received === bytes)
  const lost = (100 * (way.lost + way.overflowed + way.tooBig)) / way.sent
  const retransmits = (100 * sum(stats.map(s => s?.retransmits ?? 0))) / sum(stats.map(s => s?.segmentsSent ?? 1))
  return {
    goodput,
    ofPath: row.path.rate === undefined ? undefined : (100 * goodput) / row.path.rate,
    /** Of all that went the data's way. */
    lost,
    retransmits,
    needless: Math.max(0, retransmits - lost),
    jain: goodput === 0 ? 0 : goodput ** 2 / (own.length * sum(own.map(rate => rate ** 2))),
    share: row.beside === undefined ? undefined : (100 * goodput) / sum(rates),
    rtt: sum(stats.map(s => s?.rtt ?? 0)) / stats.length,
    seconds: whole ? elapsed : Infinity,
  }
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}
