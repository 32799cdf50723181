// The paths that bench:paths tries, what each of them is and what has to come of it. Rates are of the outer datagrams: a full
// segment of 1368 bytes is 1480 on the wire, so 92.4 % of a rate is the most that a flow can carry.

/** The kernel's TCP over wireguard-go on the same paths for real, Mbit/s: BBR, and CUBIC. An aim is 0.9 of it. */
const kernel = { rtt50: [273, 177], rtt50loss: [251, 16.7], rtt100loss: [119, 1.5] }
const asTheKernel = ([bbr, cubic]) => [
  atLeast('goodput', 0.9 * bbr, ['bbr']),
  atLeast('goodput', 0.9 * cubic, ['cubic']),
]

/** `controls`: those that it is asked of, all without it. */
function atLeast(measure, value, controls) {
  return { measure, atLeast: value, controls }
}

function below(measure, value, controls) {
  return { measure, below: value, controls }
}

/** Datagrams of 1480 bytes that `mbit` carries in `ms`. */
const inFlight = (mbit, ms) => Math.round((mbit * ms * 1000) / 8 / 1480)

/**
 * `flows`: how many at once. `beside`: another of that congestion control, whose goodput is not counted. `transfer`: bytes
 * of a transfer that has to end, instead of a time. `warmUp`: s that are left out, as `iperf3 -O` does.
 */
export const paths = [
  {
    id: 'veth',
    title: 'no delay, 1 Gbit/s',
    path: { delay: 0.05, rate: 1000, queue: 1000 },
    seconds: 2,
    aims: [atLeast('goodput', 880)],
  },
  {
    id: 'rtt50',
    title: 'RTT 50 ms, 300 Mbit/s',
    path: { delay: 25, rate: 300, queue: inFlight(300, 50) },
    aims: asTheKernel(kernel.rtt50),
  },
  {
    id: 'rtt50-loss0.1',
    title: 'RTT 50 ms, 0.1 % lost, 300 Mbit/s',
    path: { delay: 25, rate: 300, queue: inFlight(300, 50), loss: 0.001 },
    aims: asTheKernel(kernel.rtt50loss),
  },
  {
    id: 'rtt100-loss1',
    title: 'RTT 100 ms, 1 % lost, 300 Mbit/s',
    path: { delay: 50, rate: 300, queue: inFlight(300, 100), loss: 0.01 },
    aims: asTheKernel(kernel.rtt100loss),
  },
  {
    id: 'jitter',
    title: 'RTT 50 to 60 ms, out of order, 100 Mbit/s',
    path: { delay: 25, jitter: 5, rate: 100, queue: inFlight(100, 50) },
    aims: [atLeast('goodput', 83), below('needless', 0.2)],
  },
  {
    id: 'loss2',
    title: 'RTT 50 ms, 2 % lost, 100 Mbit/s',
    path: { delay: 25, rate: 100, queue: inFlight(100, 50), loss: 0.02 },
    expect: 'CUBIC 1.9 (1.22 / sqrt(loss) segments a round trip); BBR what is left of the rate',
    aims: [],
  },
  {
    id: 'loss5',
    title: 'RTT 50 ms, 5 % lost, 100 Mbit/s',
    path: { delay: 25, rate: 100, queue: inFlight(100, 50), loss: 0.05 },
    expect: 'CUBIC 1.2; BBR what is left of the rate, where it takes no loss for congestion',
    aims: [],
  },
  {
    id: 'queue64',
    title: '20 Mbit/s, RTT 50 ms, queue of 64',
    path: { delay: 25, rate: 20, queue: 64 },
    seconds: 30,
    aims: [below('retransmits', 5), atLeast('goodput', 16)],
  },
  {
    id: 'queue64-4flows',
    title: 'the same, 4 flows',
    path: { delay: 25, rate: 20, queue: 64 },
    flows: 4,
    seconds: 60,
    warmUp: 5,
    aims: [below('retransmits', 5), atLeast('jain', 0.9)],
  },
  {
    id: 'queue64-cubic',
    title: 'the same, beside a CUBIC flow',
    path: { delay: 25, rate: 20, queue: 64 },
    beside: 'cubic',
    seconds: 60,
    warmUp: 5,
    aims: [below('share', 80)],
  },
  {
    id: 'bdp',
    title: '100 Mbit/s, RTT 50 ms, queue of 1 BDP',
    path: { delay: 25, rate: 100, queue: inFlight(100, 50) },
    aims: [atLeast('goodput', 88)],
  },
  {
    id: 'blackhole',
    title: 'nothing above 1300 passes, 10 MB',
    path: { delay: 25, rate: 100, queue: inFlight(100, 50), mtu: 1300 },
    transfer: 10_000_000,
    aims: [below('seconds', 30)],
  },
  {
    id: 'blackhole-later',
    title: 'the same, from 0.5 s on, 10 MB',
    path: { delay: 25, rate: 100, queue: inFlight(100, 50) },
    change: { at: 500, path: { mtu: 1300 } },
    transfer: 10_000_000,
    aims: [below('seconds', 30)],
  },
]
