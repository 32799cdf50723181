// The metrics of a tunnel. Their names are an interface: docs/observing.md lists them.
import type { TunnelStats } from '../../node/peer-info.js'
import { readVersion } from '../version.js'
import { type Metric, type Sample, snakeCase } from './exposition.js'

export interface TunnelState {
  readonly stats: TunnelStats
  /** Undefined when it is ready. */
  readonly notReady: string | undefined
  /** Clients and the like that are open now, by the way they came. */
  readonly open: ReadonlyMap<string, number>
}

export function tunnelMetrics({ stats, notReady, open }: TunnelState): Metric[] {
  const { peers, udp, device, stack, dns, memory, load, sockets, policy } = stats
  const ofPeer = (value: (peer: TunnelStats['peers'][number]) => number | undefined): Sample[] =>
    peers.flatMap(peer => {
      const found = value(peer)
      return found === undefined
        ? []
        : [{ labels: { peer: peer.name ?? '', public_key: peer.publicKey }, value: found }]
    })
  return [
    gauge('tunless_ready', 'Whether the tunnel stands and a peer answers.', notReady === undefined ? 1 : 0),
    {
      name: 'tunless_peer_received_bytes_total',
      type: 'counter',
      help: 'UDP payload received from a peer, as wg show counts it.',
      samples: ofPeer(peer => peer.rxBytes),
    },
    {
      name: 'tunless_peer_sent_bytes_total',
      type: 'counter',
      help: 'UDP payload sent to a peer, as wg show counts it.',
      samples: ofPeer(peer => peer.txBytes),
    },
    {
      name: 'tunless_peer_last_handshake_timestamp_seconds',
      type: 'gauge',
      help: 'When the last handshake with a peer was completed, since 1970; absent before the first.',
      samples: ofPeer(peer => peer.lastHandshake && peer.lastHandshake.getTime() / 1000),
    },
    {
      name: 'tunless_peer_handshake_rtt_seconds',
      type: 'gauge',
      help: 'Round trip of the last handshake that this side began; absent before the first.',
      samples: ofPeer(peer => (peer.rtt === undefined ? undefined : peer.rtt / 1000)),
    },
    {
      name: 'tunless_connections_open',
      type: 'gauge',
      help: 'Connections that are open now, by the way they came.',
      samples: [...open].map(([way, value]) => ({ labels: { way }, value })),
    },
    gauge('tunless_tcp_connections', 'TCP connections inside the tunnel.', sockets.connections),
    gauge('tunless_tcp_send_queue_bytes', 'Bytes written and not yet acknowledged.', sockets.sendMemory),
    gauge('tunless_tcp_receive_queue_bytes', 'Bytes received and not yet read.', sockets.receiveMemory),
    gauge('tunless_udp_sockets', 'UDP sockets inside the tunnel.', sockets.udpSockets),
    gauge('tunless_packet_slots', 'Packet memory, in slots of one packet.', memory.slots),
    gauge('tunless_packet_slots_used', 'Slots of the packet memory in use.', memory.inUse),
    gauge('tunless_under_load', 'Whether handshakes of strangers have to bring a cookie.', load.underLoad ? 1 : 0),
    events('tunless_udp_events_total', 'What the UDP sockets saw outside the tunnel.', udp),
    events('tunless_wireguard_events_total', 'What the WireGuard device did and dropped.', device),
    events('tunless_stack_events_total', 'What the TCP/IP stack inside the tunnel did and dropped.', stack),
    events('tunless_dns_events_total', 'What the resolver inside the tunnel did.', dns),
    ...(policy === undefined ? [] : policyMetrics(policy)),
  ]
}

/** Flows that were let through count when they begin, the others when they are refused or cut. */
function policyMetrics(flows: NonNullable<TunnelStats['policy']>): Metric[] {
  const sample = (decision: string, direction: string, refusal: string, value: number): Sample => ({
    labels: { decision, direction, refusal },
    value,
  })
  return [
    {
      name: 'tunless_policy_flows_total',
      type: 'counter',
      help: 'Flows by what the policy decided, who began them, and why they were refused.',
      samples: [
        sample('allowed', 'in', '', flows.allowedIn),
        sample('allowed', 'out', '', flows.allowedOut),
        sample('reported', 'in', '', flows.reportedIn),
        sample('reported', 'out', '', flows.reportedOut),
        sample('denied', 'in', 'no-rule', flows.deniedIn),
        sample('denied', 'out', 'no-rule', flows.deniedOut),
        sample('denied', 'in', 'source', flows.deniedSource),
        sample('denied', 'out', 'route', flows.deniedRoute),
        sample('denied', 'in', 'expired', flows.deniedExpiredIn),
        sample('denied', 'out', 'expired', flows.deniedExpiredOut),
        sample('cut', 'in', '', flows.cutIn),
        sample('cut', 'out', '', flows.cutOut),
      ],
    },
  ]
}

function gauge(name: string, help: string, value: number): Metric {
  return { name, type: 'gauge', help, samples: [{ value }] }
}

/** Counters by name, as a label: what is counted may grow without new metrics. */
function events(name: string, help: string, counters: object): Metric {
  const samples = Object.entries(counters).map(([event, value]) => ({
    labels: { event: snakeCase(event) },
    value: Number(value),
  }))
  return { name, type: 'counter', help, samples }
}

const startedAt = Date.now() / 1000 - process.uptime()

/** By the names that every client library gives them. */
export function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage()
  const version = readVersion()
  return [
    {
      name: 'tunless_build_info',
      type: 'gauge',
      help: 'The version, as a label.',
      samples: [{ labels: { version, node: process.version }, value: 1 }],
    },
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'CPU time of this process, user and system.',
      samples: [{ value: (user + system) / 1e6 }],
    },
    gauge('process_resident_memory_bytes', 'Resident memory of this process.', process.memoryUsage.rss()),
    gauge('process_start_time_seconds', 'When this process started, since 1970.', startedAt),
  ]
}
