// What ping(8) of iputils prints, line by line, and the numbers behind its summary.

export interface PingTarget {
  /** As given. */
  readonly host: string
  readonly address: string
  /** Bytes of payload. */
  readonly size: number
}

const icmpHeader = 8
const ipv4Header = 20

export function formatHeading({ host, address, size }: PingTarget): string {
  if (address.includes(':')) return `PING ${host} (${address}) ${size} data bytes`
  return `PING ${host} (${address}) ${size}(${size + icmpHeader + ipv4Header}) bytes of data.`
}

export function formatReply(target: PingTarget, sequence: number, { rtt, ttl }: { rtt: number; ttl: number }): string {
  const from = target.host === target.address ? target.address : `${target.host} (${target.address})`
  return `${target.size + icmpHeader} bytes from ${from}: icmp_seq=${sequence} ttl=${ttl} time=${formatTime(rtt)} ms`
}

/** Three digits that count, as iputils has them. */
function formatTime(ms: number): string {
  if (ms >= 99.95) return ms.toFixed(0)
  if (ms >= 9.995) return ms.toFixed(1)
  if (ms >= 0.9995) return ms.toFixed(2)
  return ms.toFixed(3)
}

const sentences: Readonly<Record<string, string>> = {
  EHOSTUNREACH: 'Destination Host Unreachable',
  ENETUNREACH: 'Destination Net Unreachable',
  ECONNREFUSED: 'Destination Port Unreachable',
  EACCES: 'Packet filtered',
  EMSGSIZE: 'Frag needed and DF set',
}

/** Undefined for a code that is no answer of the network's. */
export function formatFailure(target: PingTarget, sequence: number, code: string): string | undefined {
  const sentence = Object.hasOwn(sentences, code) ? sentences[code] : undefined
  return sentence && `To ${target.address} icmp_seq=${sequence} ${sentence}`
}

/** Times in ms. */
export class PingStatistics {
  transmitted = 0
  received = 0
  errors = 0
  least = Number.POSITIVE_INFINITY
  most = 0
  #sum = 0
  #squares = 0
  #average = 0

  add(rtt: number): void {
    this.received++
    this.least = Math.min(this.least, rtt)
    this.most = Math.max(this.most, rtt)
    this.#sum += rtt
    this.#squares += rtt * rtt
    this.#average = this.received === 1 ? rtt : this.#average + (rtt - this.#average) / 8
  }

  get #loss(): string {
    const loss = ((this.transmitted - this.received) * 100) / this.transmitted
    return `${Number(loss.toPrecision(6))}%`
  }

  /** What SIGQUIT shows. */
  get brief(): string {
    const { transmitted, received } = this
    const counts = `${received}/${transmitted} packets${transmitted === 0 ? '' : `, ${this.#loss} loss`}`
    if (received === 0) return counts
    const times = [this.least, this.#sum / received, this.#average, this.most]
    return `${counts}, min/avg/ewma/max = ${times.map(time => time.toFixed(3)).join('/')} ms`
  }

  /** The lines at the end; `elapsed` since the first request. */
  summary(host: string, elapsed: number): string {
    const { transmitted, received, errors } = this
    const counts = [`${transmitted} packets transmitted`, `${received} received`]
    if (errors > 0) counts.push(`+${errors} errors`)
    if (transmitted > 0) counts.push(`${this.#loss} packet loss`, `time ${Math.round(elapsed)}ms`)
    const lines = ['', `--- ${host} ping statistics ---`, counts.join(', ')]
    if (received > 0) {
      const mean = this.#sum / received
      const deviation = Math.sqrt(Math.max(0, this.#squares / received - mean * mean))
      const times = [this.least, mean, this.most, deviation].map(time => time.toFixed(3))
      lines.push(`rtt min/avg/max/mdev = ${times.join('/')} ms`)
    } else lines.push('')
    return lines.join('\n')
  }
}
