// What strangers must not guess: sequence numbers, timestamps, ports, and how many challenges there are in a second.
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../../../src/core/base/address.js'
import { Identity } from '../../../../src/core/netstack/identity.js'
import { wordsOf } from '../../../../src/core/wire/ip.js'
import { createRandom, randomBytes } from '../../../support/netstack-pair.js'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { accepted } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

const words = (text: string) => wordsOf(parseAddress(text) as Uint8Array)
const local = words('10.7.0.1')
const remote = words('10.7.0.2')

/** A hash under a secret. */
function keyed(secret: string) {
  return (bytes: Uint8Array) => createHash('sha256').update(secret).update(bytes).digest().readUInt32BE()
}

describe('an initial sequence number', () => {
  const identity = new Identity(keyed('one'))

  test('is a keyed hash of the four ends: none of them can change, nor the key, without another number (N9)', () => {
    const numbers = [
      identity.initialSequence(local, 80, remote, 4000, 0),
      identity.initialSequence(local, 81, remote, 4000, 0),
      identity.initialSequence(local, 80, remote, 4001, 0),
      identity.initialSequence(words('10.7.0.3'), 80, remote, 4000, 0),
      identity.initialSequence(local, 80, words('10.7.0.3'), 4000, 0),
      identity.initialSequence(words('fd07::1'), 80, words('fd07::2'), 4000, 0),
      new Identity(keyed('two')).initialSequence(local, 80, remote, 4000, 0),
    ]
    expect(new Set(numbers).size).toBe(numbers.length)
    // Nor do neighbours lie near each other.
    for (const [i, number] of numbers.entries())
      for (const other of numbers.slice(i + 1)) expect(Math.abs((number - other) | 0)).toBeGreaterThan(10_000)
  })

  test('of the same ends goes on by one each 4 µs, so that a connection starts behind the one before (N9)', () => {
    const first = identity.initialSequence(local, 80, remote, 4000, 5000)
    expect((identity.initialSequence(local, 80, remote, 4000, 6000) - first) | 0).toBe(250_000)
  })
})

test('timestamps are offset by address pair, not by connection: a TIME-WAIT of the peer sees its clock go on (N15)', () => {
  const offsets = [1, 2].map(port => {
    const s = new TcpScript({ peerPort: port, keyedHash: keyed('one') })
    s.stack.connect({ address: s.peer, port }, new Recorder(), s.now)
    s.expect('S 0:0(0) <TS>')
    return s.timestampOffset
  })
  expect(offsets[0]).toBe(offsets[1])
  const identity = new Identity(keyed('one'))
  expect(identity.timestampOffset(local, words('10.7.0.3'))).not.toBe(identity.timestampOffset(local, remote))
  expect(new Identity(keyed('two')).timestampOffset(local, remote)).not.toBe(identity.timestampOffset(local, remote))
})

test('the ports that we dial from are random over their whole range (N9)', () => {
  const s = new TcpScript({ random: randomBytes(createRandom(3)) })
  const ports = Array.from({ length: 400 }, (_, i) => {
    return s.stack.connect({ address: s.peer, port: 1 + i }, new Recorder(), s.now).localPort
  })
  const { firstEphemeralPort: first, lastEphemeralPort: last } = s.stack.limits
  const eighths = new Set(ports.map(port => Math.floor(((port - first) * 8) / (last - first + 1))))
  expect(eighths.size).toBe(8)
  expect(ports.filter((port, i) => Math.abs(port - (ports[i - 1] ?? 0)) < 3).length).toBeLessThan(4)
  s.stack.close(s.now)
})

test('how many challenges all connections send in a second is bounded, and random around the bound (N9)', () => {
  const { s } = accepted(undefined, { limits: { challengeAcksPerSecond: 20 } })
  for (let port = 1; port <= 60; port++) {
    s.peerPort = port
    s.send('S 0:0(0) win 65535 <mss 1460>').send('. 1:1(0) ack 1').skip()
  }
  const counts = Array.from({ length: 20 }, () => {
    s.wait(1000)
    for (let port = 1; port <= 60; port++) {
      s.peerPort = port
      s.send('R 100:100(0)')
    }
    return s.take().length
  })
  for (const count of counts) {
    expect(count).toBeGreaterThanOrEqual(10)
    expect(count).toBeLessThan(30)
  }
  expect(new Set(counts).size).toBeGreaterThan(4)
})
