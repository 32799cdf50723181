// A resolver alone in virtual time: what it sends lies here until a test answers it.
import { formatAddress, parseAddress } from '../../src/core/base/address.js'
import {
  type DnsLimits,
  type DnsSettings,
  type LookupFailure,
  type LookupOptions,
  Resolver,
} from '../../src/core/resolver/resolver.js'
import { type DnsMessage, serialiseDns } from '../../src/core/wire/dns.js'
import { createSeededRandom } from '../../src/testing/random.js'
import { answerFrom, readQuery, type Zone } from './dns.js'

export interface Sent {
  readonly exchange: number
  readonly server: string
  readonly over: 'udp' | 'tcp'
  readonly at: number
  readonly query: DnsMessage
  /** `a web1.corp` */
  readonly asks: string
  open: boolean
}

export interface Watched {
  readonly found: Partial<Record<4 | 6, string[]>>
  /** In the order in which they were told. */
  readonly families: (4 | 6)[]
  ended: boolean
  endedAt: number | undefined
  failure: LookupFailure | undefined
  cancel(): void
}

export interface DnsWorldOptions {
  servers?: string[]
  search?: string[]
  routes?: Record<string, string[]>
  limits?: Partial<DnsLimits>
}

export function settingsOf({ servers = ['10.7.0.53'], search = [], routes = {} }: DnsWorldOptions): DnsSettings {
  return {
    servers: servers.map(text => parseAddress(text)!),
    search,
    routes: Object.entries(routes).map(([suffix, texts]) => ({
      suffix,
      servers: texts.map(text => parseAddress(text)!),
    })),
  }
}

export class DnsWorld {
  now = 0
  readonly sent: Sent[] = []
  readonly resolver: Resolver
  /** Servers that nothing can be sent to, and the code that says so. */
  readonly broken = new Map<string, string>()

  constructor(options: DnsWorldOptions = {}) {
    const random = createSeededRandom(1)
    const send = (over: 'udp' | 'tcp') => (exchange: number, address: Uint8Array, message: Uint8Array) => {
      const server = formatAddress(address)
      const code = this.broken.get(server)
      if (code !== undefined) return code
      const query = readQuery(message)
      const [{ name, type }] = query.questions as [DnsMessage['questions'][number]]
      const asks = `${type === 1 ? 'a' : 'aaaa'} ${name}`
      this.sent.push({ exchange, server, over, at: this.now, query, asks, open: true })
      return undefined
    }
    this.resolver = new Resolver({
      settings: settingsOf(options),
      limits: options.limits,
      random: bytes => random.fill(bytes),
      sink: {
        sendUdp: send('udp'),
        sendTcp: send('tcp'),
        endExchange: exchange => {
          const sent = this.sent.find(one => one.exchange === exchange)
          if (sent !== undefined) sent.open = false
        },
      },
    })
  }

  lookup(name: string, options: LookupOptions = {}): Watched {
    const watched: Watched = {
      found: {},
      families: [],
      ended: false,
      endedAt: undefined,
      failure: undefined,
      cancel: () => {},
    }
    const { cancel } = this.resolver.lookup(
      name,
      options,
      {
        addresses: (family, addresses) => {
          if (watched.ended || watched.found[family]) throw new Error('told twice')
          watched.found[family] = addresses.map(formatAddress)
          watched.families.push(family)
        },
        end: failure => {
          if (watched.ended) throw new Error('ended twice')
          Object.assign(watched, { ended: true, endedAt: this.now, failure })
        },
      },
      this.now,
    )
    watched.cancel = cancel
    return watched
  }

  /** Queries that wait for their answer. */
  get open(): Sent[] {
    return this.sent.filter(one => one.open)
  }

  reply(to: Sent, message: DnsMessage | Uint8Array): void {
    const bytes = message instanceof Uint8Array ? message : serialiseDns(message)
    this.resolver.handleMessage(to.exchange, bytes, this.now)
  }

  /** Answers what is open, and what is asked because of it, until nothing is. */
  serve(zone: Zone, only: (one: Sent) => boolean = () => true): void {
    for (let next = this.open.find(only); next !== undefined; next = this.open.find(only)) {
      this.reply(next, answerFrom(zone, next.query))
    }
  }

  /** Lets time pass, with every deadline at its own time. */
  pass(ms: number): void {
    const until = this.now + ms
    for (let at = this.resolver.nextDeadline(); at <= until; at = this.resolver.nextDeadline()) {
      this.now = Math.max(this.now, at)
      this.resolver.handleTimeout(this.now)
    }
    this.now = until
  }

  /** What was asked, in order: `10.7.0.53 udp a web1`. */
  get log(): string[] {
    return this.sent.map(({ server, over, asks }) => `${server} ${over} ${asks}`)
  }
}
