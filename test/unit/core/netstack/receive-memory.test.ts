// Bytes received and not read: one bound for all connections, fair shares of it, and nobody ever left without any.
import { describe, expect, it } from 'vitest'
import { pathReserve } from '../../../../src/core/netstack/shared-budget.js'
import { createStar, type Star } from '../../../support/netstack-star.js'
import { StreamOwner } from '../../../support/tcp-endpoints.js'

const MiB = 1024 * 1024
const endless = 1024 * MiB

interface Flow {
  /** At the peer, who writes. */
  readonly sender: StreamOwner
  /** At the hub, who reads or does not. */
  readonly reader: StreamOwner
}

/** `count` connections from a peer, each of which sends so much. */
function open(star: Star, peer: number, count: number, reading: boolean, total = endless): Flow[] {
  const node = star.peers[peer]!
  const flows: Flow[] = []
  const port = 80 + flowsOpened++
  const readers: StreamOwner[] = []
  star.hub.stack.listen({ port, backlog: count }, connection => {
    const reader = new StreamOwner(2, 1, 0, () => star.now)
    reader.reading = reading
    reader.connection = connection
    readers.push(reader)
    return reader
  })
  const senders: StreamOwner[] = []
  for (let i = 0; i < count; i++) {
    const sender = new StreamOwner(1, 2, total, () => star.now, 4096)
    sender.connection = node.stack.connect({ address: star.hub.address, port }, sender, star.now)
    senders.push(sender)
  }
  star.advance(100)
  // Accepted in the order in which they were dialled.
  for (const [i, reader] of readers.entries()) flows.push({ sender: senders[i]!, reader })
  expect(flows).toHaveLength(count)
  return flows
}
let flowsOpened = 0

/** Bytes unread of these flows. */
function unread(flows: readonly Flow[]): number {
  return flows.reduce((sum, { reader }) => sum + (reader.connection?.bytesReadable ?? 0), 0)
}

/** MiB a second that the reader gets over `ms`. */
function rate(star: Star, { reader }: Flow, ms: number): number {
  const before = reader.read
  star.advance(ms)
  return (reader.read - before) / MiB / (ms / 1000)
}

function resume(flows: readonly Flow[]): void {
  for (const { reader } of flows) {
    reader.reading = true
    reader.drain()
  }
}

describe('memory for what is received and not read', () => {
  it('goes to a stalled reader by a third, and a running one beside it keeps its pace (N10)', () => {
    const star = createStar(1, { receiveMemory: 6 * MiB })
    const [running] = open(star, 0, 1, true)
    star.advance(1000)
    const alone = rate(star, running!, 1000)
    const stalled = open(star, 0, 1, false)
    const beside = rate(star, running!, 1000)
    const [held] = [unread(stalled)]
    // Its window never grew: nobody read. As large as it may be, it is bounded all the same.
    expect(held).toBeLessThanOrEqual(2 * MiB)
    expect(held).toBeGreaterThan(128 * 1024)
    expect(beside).toBeGreaterThan(0.9 * alone)
    resume(stalled)
    star.advance(2000)
    expect(stalled[0]!.reader.read).toBeGreaterThan(held)
    expect([running!.reader.wrong, stalled[0]!.reader.wrong]).toEqual([-1, -1])
  })

  it('is not taken from one peer by a thousand stalled connections of another (N10)', () => {
    const limits = { receiveMemory: 32 * MiB }
    const star = createStar(2, limits)
    const stalled = open(star, 0, 1000, false)
    let most = 0
    star.advance(3000, () => {
      most = Math.max(most, star.hub.stack.stats().receiveMemory)
    })
    // The thousand were promised 250 MiB, and hold half of what there is and what the floor gives.
    expect(most).toBeLessThanOrEqual(0.875 * limits.receiveMemory)
    expect(unread(stalled)).toBeGreaterThan(0.4 * limits.receiveMemory)
    const [running] = open(star, 1, 1, true)
    star.advance(1000)
    expect(rate(star, running!, 1000)).toBeGreaterThan(10)
  }, 30_000)

  it('lets another connection of the same peer go on beside a thousand stalled ones (N10)', () => {
    const star = createStar(1, { receiveMemory: 32 * MiB })
    open(star, 0, 1000, false)
    star.advance(3000)
    const [running] = open(star, 0, 1, true)
    expect(rate(star, running!, 2000)).toBeGreaterThan(0.25)
  }, 30_000)

  it('is free again when they read, and every byte that was refused comes again (N10)', () => {
    const star = createStar(1, { receiveMemory: 8 * MiB })
    const stalled = open(star, 0, 100, false, 200_000)
    star.advance(2000)
    expect(star.hub.stack.counters.tcpReceiveMemoryFull).toBeGreaterThan(0)
    expect(unread(stalled)).toBeGreaterThan(2 * MiB)
    resume(stalled)
    expect(unread(stalled)).toBe(0)
    star.advance(30_000)
    for (const { reader } of stalled) expect([reader.wrong, reader.read, reader.ended]).toEqual([-1, 200_000, true])
    expect(star.hub.stack.stats().receiveMemory).toBe(0)
  }, 30_000)

  it('stays within its bound and a reserve a path, whatever was promised; and no path is without (N10)', () => {
    const limits = { receiveMemory: 4 * MiB }
    const star = createStar(8, limits)
    let most = 0
    const watch = () => {
      most = Math.max(most, star.hub.stack.stats().receiveMemory)
    }
    for (let peer = 0; peer < 7; peer++) {
      open(star, peer, 100, false)
      star.advance(500, watch)
    }
    const [running] = open(star, 7, 1, true)
    star.advance(2000, watch)
    expect(most).toBeLessThanOrEqual(limits.receiveMemory + 8 * pathReserve)
    expect(rate(star, running!, 2000)).toBeGreaterThan(0.25)
  }, 30_000)

  it('at its floor never comes to rest: readers that look now and then get all they asked for (N5)', () => {
    const star = createStar(1, { receiveMemory: 512 * 1024 })
    const flows = open(star, 0, 50, false)
    star.advance(2000)
    for (let round = 0; round < 50; round++) {
      for (const { reader } of flows) reader.drain()
      star.advance(2000)
    }
    for (const { reader, sender } of flows) {
      expect([reader.wrong, sender.isClosed]).toEqual([-1, false])
      expect(reader.read).toBeGreaterThan(20 * 1380)
    }
  }, 30_000)

  it('is given back when a connection goes, read or not', () => {
    const star = createStar(1, { receiveMemory: 8 * MiB })
    const flows = open(star, 0, 10, false)
    star.advance(1000)
    for (const { sender, reader } of flows) {
      sender.connection?.reset(star.now)
      reader.connection?.destroy(star.now)
    }
    star.advance(1000)
    expect(star.hub.stack.stats()).toMatchObject({ connections: 0, receiveMemory: 0, sendMemory: 0 })
    expect(star.peers[0]!.stack.stats()).toMatchObject({ connections: 0, receiveMemory: 0, sendMemory: 0 })
  })
})

describe('memory for what is written and not acknowledged', () => {
  it('is shared by all, and a writer to a peer that takes nothing leaves the others theirs (N10)', () => {
    const star = createStar(2, { sendMemory: 8 * MiB })
    const chunk = new Uint8Array(MiB)
    const dial = (peer: number, port: number, reading: boolean) => {
      let far: StreamOwner | undefined
      const listener = star.peers[peer]!.stack.listen({ port }, connection => {
        far = new StreamOwner(2, 1, 0, () => star.now)
        far.reading = reading
        far.connection = connection
        return far
      })
      const near = new StreamOwner(1, 2, endless, () => star.now)
      near.connection = star.hub.stack.connect({ address: star.peers[peer]!.address, port }, near, star.now)
      star.advance(50)
      listener.close()
      return { near, far: far! }
    }
    const stalled = Array.from({ length: 100 }, (_, i) => dial(0, 1000 + i, false))
    star.advance(2000)
    for (const { near } of stalled) while (near.connection!.write(chunk, 0, star.now) > 0);
    const { sendMemory } = star.hub.stack.stats()
    expect(sendMemory).toBeLessThan(8 * MiB)
    const { far } = dial(1, 80, true)
    star.advance(1000)
    const before = far.read
    star.advance(1000)
    expect((far.read - before) / MiB).toBeGreaterThan(10)
  }, 30_000)
})
