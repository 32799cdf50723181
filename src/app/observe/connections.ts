// What is counted of connections as they end: how many, how they ended, their bytes and how long they took.
import type { ConnectionRecord } from '../../proxy/client.js'
import type { Labels, Metric, Sample } from './exposition.js'

/** Upper bounds of the histogram, seconds. */
const buckets = [0.1, 1, 10, 60, 600, 3600]

interface Kind {
  readonly labels: Labels
  readonly results: Map<string, number>
  sent: number
  received: number
  readonly atMost: number[]
  count: number
  seconds: number
}

export class ConnectionCount {
  readonly #kinds = new Map<string, Kind>()

  add(record: ConnectionRecord): void {
    const { protocol, result, sent, received, duration } = record
    const way = record.way ?? 'other'
    const key = `${way} ${protocol}`
    let kind = this.#kinds.get(key)
    if (kind === undefined) {
      const labels = { way, protocol }
      kind = { labels, results: new Map(), sent: 0, received: 0, atMost: buckets.map(() => 0), count: 0, seconds: 0 }
      this.#kinds.set(key, kind)
    }
    const seconds = duration / 1000
    kind.results.set(result, (kind.results.get(result) ?? 0) + 1)
    kind.sent += sent
    kind.received += received
    kind.count++
    kind.seconds += seconds
    for (let i = 0; i < buckets.length; i++) if (seconds <= (buckets[i] as number)) (kind.atMost[i] as number)++
  }

  get metrics(): Metric[] {
    const kinds = [...this.#kinds.values()]
    return [
      {
        name: 'tunless_connections_total',
        type: 'counter',
        help: 'Connections that are over, by the way they came and how they ended.',
        samples: kinds.flatMap(({ labels, results }) =>
          [...results].map(([result, value]) => ({ labels: { ...labels, result }, value })),
        ),
      },
      {
        name: 'tunless_connection_sent_bytes_total',
        type: 'counter',
        help: 'Bytes from clients, of connections that are over.',
        samples: kinds.map(({ labels, sent }) => ({ labels, value: sent })),
      },
      {
        name: 'tunless_connection_received_bytes_total',
        type: 'counter',
        help: 'Bytes to clients, of connections that are over.',
        samples: kinds.map(({ labels, received }) => ({ labels, value: received })),
      },
      {
        name: 'tunless_connection_duration_seconds',
        type: 'histogram',
        help: 'How long connections took, their dial included.',
        samples: kinds.flatMap(samplesOf),
      },
    ]
  }
}

function samplesOf({ labels, atMost, count, seconds }: Kind): Sample[] {
  return [
    ...buckets.map((bound, i) => ({
      suffix: '_bucket',
      labels: { ...labels, le: String(bound) },
      value: atMost[i] as number,
    })),
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
    { suffix: '_sum', labels, value: seconds },
    { suffix: '_count', labels, value: count },
  ]
}
