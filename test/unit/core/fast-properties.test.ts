// V8 keeps the properties of some objects in a hash table: of literals with a getter, of objects filled by a loop. Each look-up
// then costs several times as much, and nothing that is called through one is inlined.
import { setFlagsFromString } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { createDeadlineHeap } from '../../../src/core/base/deadline-heap.js'
import { createPacketMemory } from '../../../src/core/base/packet-memory.js'
import { createPrefixTable } from '../../../src/core/base/prefix-table.js'
import { createCounters as createStackCounters } from '../../../src/core/netstack/counters.js'
import { AckTally } from '../../../src/core/netstack/tcp/ack-tally.js'
import { SenderState } from '../../../src/core/netstack/tcp/sender-state.js'
import { createIpHeader } from '../../../src/core/wire/ip.js'
import { createTcpHeader } from '../../../src/core/wire/tcp.js'
import { createCounters as createDeviceCounters } from '../../../src/core/wireguard/counters.js'
import { createBbrFlow } from '../../support/bbr-flow.js'
import { createPair } from '../../support/netstack-pair.js'

setFlagsFromString('--allow-natives-syntax')
const hasFastProperties = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean
const haveSameMap = new Function('one', 'other', 'return %HaveSameMap(one, other)') as (...both: object[]) => boolean

describe('what every packet touches', () => {
  it.each<[string, () => object]>([
    ['packet memory', () => createPacketMemory(new ArrayBuffer(64), 64)],
    ['a deadline heap', () => createDeadlineHeap()],
    ['a prefix table', () => createPrefixTable()],
    ["the stack's counters", createStackCounters],
    ["the device's counters", createDeviceCounters],
    ['an IP header', createIpHeader],
    ['a TCP header', createTcpHeader],
    ['the tally of an acknowledgement', () => new AckTally()],
    ["a sender's state", () => new SenderState()],
  ])('has fast properties: %s', (_name, create) => {
    create()
    expect(hasFastProperties(create())).toBe(true)
  })

  it('has fast properties: a stack, and a connection of it', () => {
    const { a, b, now } = createPair()
    const events = { connected: () => {}, readable: () => {}, writable: () => {}, closed: () => {} }
    const connection = a.stack.connect({ address: b.address, port: 7 }, events, now)
    for (const object of [a.stack, a.stack.output, a.stack.paths, connection]) {
      expect(hasFastProperties(object)).toBe(true)
    }
  })

  // Where a field turns from whole numbers to fractions under way, all that was compiled for it is thrown away.
  it('keeps its shape through a transfer: BBR', () => {
    const path = { rate: 50, rtt: 50.3, queue: 64, loss: 0.01 }
    const long = createBbrFlow(path)
    const fresh = createBbrFlow(path)
    long.runUntil(8000)
    expect(haveSameMap(long.model, fresh.model)).toBe(true)
  })

  it('would be seen', () => {
    const slow = {
      get size() {
        return 0
      },
    }
    expect(hasFastProperties(slow)).toBe(false)
  })
})
