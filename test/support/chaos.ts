// One seed of chaos: a path that does everything wrong, connections whose owners write, read and leave in every way that
// there is, and what must hold of each of them and of both hosts at the end.
import type { HostOptions } from '../../src/core/host/host.js'
import { nodeCrypto } from '../../src/node/crypto/node.js'
import {
  createNetwork,
  createSeededRandom,
  type Network,
  type NetworkOptions,
  type PathOptions,
  type SeededRandom,
  type SimulatedHost,
} from '../../src/testing/index.js'
import { ChaosEnd, checkEnding, drawPlan } from './chaos-end.js'

const second = 1000
const minute = 60 * second
/** Everything that can end by itself has, long before; who is left is let go then. */
const reaping = 60 * minute
/** Enough for TIME-WAIT, orphans and WireGuard's keys to go. */
const afterwards = 60 * minute
const port = 9
/** What may be resent, beside as much as leaves for the first time. */
const spareRetransmits = 1000

interface Conversation {
  readonly dialer: ChaosEnd
  readonly acceptor: ChaosEnd
}

/** Runs the seed to its end; throws at what does not hold. */
export function runChaos(seed: number): void {
  const random = createSeededRandom(seed * 7919 + 17)
  const network = createNetwork(drawNetwork(seed, random))
  const { clock, a, b } = network
  planBlackouts(network, random)
  planNarrowing(network, random)
  const conversations = drawConversations(network, random)
  const ends = conversations.flatMap(({ dialer, acceptor }) => [dialer, acceptor])
  const servers = [a, b].map(host => serve(host, conversations))

  const isOpen = () => ends.some(end => !end.isDone)
  const watch = () => {
    for (const host of [a, b]) checkBounds(host, conversations.length)
    for (const end of ends) end.checkBounds(end.host.host.stack.limits)
    if (isOpen() && clock.now < reaping) clock.schedule(clock.now + 500, watch)
  }
  watch()
  clock.runWhile(isOpen, reaping)
  for (const { dialer, acceptor } of conversations) checkEnding(dialer, acceptor)
  for (const end of ends) end.leave()
  for (const server of servers) server.close()
  clock.runWhile(() => clock.pending > 0, clock.now + reaping + afterwards)
  for (const end of ends) end.checkClosed()
  for (const host of [a, b]) {
    checkRetransmits(host)
    checkNothingLeft(host)
  }
  if (clock.pending > 0) throw new Error(`${clock.pending} events are left on the clock`)
}

function drawNetwork(seed: number, random: SeededRandom): NetworkOptions {
  return {
    seed,
    mtu: 1280 + random.integer(141),
    // Where the cipher lets a flipped bit through, TCP's checksum has to see it.
    crypto: seed % 8 === 0 ? nodeCrypto : 'plain',
    there: drawPath(random),
    back: drawPath(random),
    turn: random.next() < 0.3 ? random.next() * 3 : 0,
    timerTick: random.next() < 0.3 ? 1 : 0,
    budget: 1 + random.integer(64),
    a: drawHost(random),
    b: drawHost(random),
  }
}

/** At times one that holds no more than 150 packets, or whose windows are small and often closed. */
function drawHost(random: SeededRandom): Partial<HostOptions> {
  const small = 4096 + random.integer(60_000)
  return {
    memoryBytes: random.next() < 0.2 ? 300 * 1024 : 16 * 1024 * 1024,
    congestion: random.next() < 0.5 ? 'bbr' : 'cubic',
    ...(random.next() < 0.3 && {
      stackLimits: { receiveBuffer: small, maxReceiveBuffer: 2 * small, sendBuffer: small, maxSendBuffer: 4 * small },
    }),
  }
}

function drawPath(random: SeededRandom): PathOptions {
  const chance = (probability: number) => random.next() < probability
  const rate = chance(0.7) ? 1 + random.next() * 100 : 0
  const delay = random.next() * 150
  return {
    delay,
    rate,
    queue: 8 + random.integer(500),
    loss: chance(0.3) ? 0 : chance(0.5) ? random.next() * 0.02 : random.next() * 0.2,
    lossBurst: chance(0.3) ? random.next() * 300 : 0,
    // As far as 300 full datagrams of the rate overtake each other.
    jitter: chance(0.5) ? random.next() * Math.min(500, rate > 0 ? 3600 / rate : 50) : 0,
    duplicate: chance(0.5) ? random.next() * 0.05 : 0,
    corrupt: chance(0.5) ? random.next() * 0.02 : 0,
  }
}

function planBlackouts({ clock, there, back }: Network, random: SeededRandom): void {
  for (let count = random.integer(3); count > 0; count--) {
    const from = random.next() * 3 * minute
    const direction = random.integer(3)
    const dark = [there, back].filter((_, index) => direction === 2 || direction === index)
    const turn = (at: number, down: boolean) =>
      clock.schedule(at, () => {
        for (const path of dark) path.options.down = down
      })
    turn(from, true)
    turn(from + random.next() * minute, false)
  }
}

/** At times no full packet passes any more, and nobody says so; what IPv6 needs passes always. */
function planNarrowing({ clock, there, back }: Network, random: SeededRandom): void {
  if (random.next() < 0.7) return
  const narrowed = random.next() < 0.5 ? there : back
  const mtu = 1280 + 32 + random.integer(141)
  clock.schedule(random.next() < 0.5 ? 0 : random.next() * minute, () => {
    narrowed.options.mtu = mtu
  })
}

function drawConversations({ clock, a, b }: Network, random: SeededRandom): Conversation[] {
  const count = random.next() < 0.1 ? 30 : 1 + random.integer(6)
  return Array.from({ length: count }, (_, number) => {
    const [from, to] = random.next() < 0.6 ? [a, b] : [b, a]
    const dialer = new ChaosEnd(clock, from, drawPlan(random, count > 6), 2 * number)
    const acceptor = new ChaosEnd(clock, to, drawPlan(random, count > 6), 2 * number + 1)
    dialer.other = acceptor
    acceptor.other = dialer
    const options = {
      address: random.next() < 0.5 ? to.address : to.address6,
      port,
      localPort: 2000 + number, // by which the listener knows which one it is
      ...(random.next() < 0.2 && { timeout: random.next() * 30 * second }),
    }
    clock.schedule(random.next() < 0.5 ? 0 : random.next() * 20 * second, () => {
      dialer.connection = from.host.stack.connect(options, dialer, clock.now)
      if (dialer.plan.keepAlive) dialer.connection.setKeepAlive(true, 10 * second, clock.now)
      from.changed()
    })
    return { dialer, acceptor }
  })
}

function serve(host: SimulatedHost, conversations: readonly Conversation[]): { close(): void } {
  return host.host.stack.listen({ port }, connection => {
    const conversation = conversations.find(
      ({ dialer, acceptor }) => acceptor.host === host && dialer.connection?.localPort === connection.remotePort,
    )
    if (conversation === undefined || conversation.acceptor.connection !== undefined)
      throw new Error(`an unexpected connection from port ${connection.remotePort}`)
    conversation.acceptor.start(connection)
    return conversation.acceptor
  })
}

function checkBounds({ host }: SimulatedHost, dialled: number): void {
  const { stack, memory } = host
  const { connections, reassemblySlots } = stack.stats()
  const { reassemblyShare, outputQueue } = stack.limits
  if (connections > dialled) throw new Error(`${connections} connections of ${dialled}`)
  if (reassemblySlots > memory.capacity * reassemblyShare)
    throw new Error(`${reassemblySlots} slots of ${memory.capacity} hold what is out of order`)
  if (stack.output.waiting > outputQueue) throw new Error(`${stack.output.waiting} packets wait`)
}

/** Whatever the path does, and however little the peer holds: what is resent stays in proportion. */
function checkRetransmits({ name, host }: SimulatedHost): void {
  const { tcpRetransmits, packetsOut } = host.stack.counters
  if (tcpRetransmits > spareRetransmits + packetsOut - tcpRetransmits)
    throw new Error(`${tcpRetransmits} of ${packetsOut} packets of ${name} were sent before`)
}

function checkNothingLeft({ name, host }: SimulatedHost): void {
  const { connections, timeWait, orphans, listeners, slotsInUse, reassemblySlots } = host.stack.stats()
  const timers = host.stack.deadlines.size
  const left = { connections, timeWait, orphans, listeners, slotsInUse, reassemblySlots, timers }
  const what = Object.entries(left).filter(([, count]) => count !== 0)
  if (what.length > 0) throw new Error(`left on ${name}: ${what.map(([key, count]) => `${count} ${key}`).join(', ')}`)
  if (host.nextDeadline() !== Infinity) throw new Error(`${name} still waits for ${host.nextDeadline()}`)
}
