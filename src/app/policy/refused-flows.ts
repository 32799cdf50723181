// What connection logs say was refused, or would have been: lines with `way` `policy`, the same ones counted together. Documented in
// docs/observing.md. Lines of anything else are left alone: a log may share its file with messages.

/** One end of a flow, as far as the log knows it. */
export interface LoggedEnd {
  readonly address: string
  readonly node: string | undefined
  readonly tags: readonly string[]
  readonly user: string | undefined
}

/** Flows that no rule allows, from one address to another and one port there. */
export interface RefusedFlow {
  readonly source: LoggedEnd
  readonly destination: LoggedEnd
  /** As the log spells it: `tcp`, `ipv6-icmp`, `47`. */
  readonly protocol: string
  /** 0 where the protocol has none. */
  readonly port: number
  count: number
  /** ISO 8601. */
  last: string
}

/** Different flows that are kept; a log with more is of a scan, and no policy is made of one. */
export const mostFlows = 20_000
const longestLine = 64 * 1024

/** Counted, and told to whoever reads the suggestion. */
export interface Skipped {
  /** Refused for another reason than a missing rule: `source` and `expired`. */
  otherRefusals: number
  /** Of connections, not of a policy's flows. */
  otherEntries: number
  /** Lines that are no entry at all. */
  unreadable: number
  /** Of flows beyond {@link mostFlows}. */
  tooMany: number
}

export class RefusedFlows {
  readonly flows = new Map<string, RefusedFlow>()
  readonly skipped: Skipped = { otherRefusals: 0, otherEntries: 0, unreadable: 0, tooMany: 0 }

  add(line: string): void {
    const text = line.replace(/^\ufeff/, '').trim()
    if (text === '') return
    const entry = text.length <= longestLine && text.startsWith('{') ? parsed(text) : undefined
    if (entry === undefined) this.skipped.unreadable++
    else if (entry.way !== 'policy' || !isObject(entry.flow)) this.skipped.otherEntries++
    else if (entry.result !== 'allowed') this.#addRefused(entry, entry.flow)
  }

  #addRefused(entry: Fields, flow: Fields): void {
    if (flow.refusal !== 'no-rule') {
      this.skipped.otherRefusals++
      return
    }
    const [from, to] = [placeOf(entry.client), placeOf(entry.target)]
    const { protocol } = entry
    if (from === undefined || to === undefined || typeof protocol !== 'string' || !/^[a-z0-9-]{1,16}$/.test(protocol)) {
      this.skipped.unreadable++
      return
    }
    const source = endOf(from.address, flow.sourceNode, flow.sourceTags, flow.sourceUser)
    const destination = endOf(to.address, flow.destinationNode, flow.destinationTags, flow.destinationUser)
    const key = JSON.stringify([source, destination, protocol, to.port])
    const count = typeof flow.count === 'number' && flow.count > 0 ? flow.count : 1
    const time = typeof entry.time === 'string' && /^[0-9T:.Z-]{20,30}$/.test(entry.time) ? entry.time : ''
    const known = this.flows.get(key)
    if (known !== undefined) {
      known.count += count
      if (time > known.last) known.last = time
    } else if (this.flows.size >= mostFlows) this.skipped.tooMany++
    else this.flows.set(key, { source, destination, protocol, port: to.port, count, last: time })
  }
}

type Fields = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** `ADDRESS:PORT`, with an IPv6 address in brackets. */
function placeOf(text: unknown): { address: string; port: number } | undefined {
  const [, bracketed, plain, port] =
    (typeof text === 'string' && /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text)) || []
  const address = bracketed ?? plain
  return address === undefined || Number(port) > 65_535 ? undefined : { address, port: Number(port) }
}

function endOf(address: string, node: unknown, tags: unknown, user: unknown): LoggedEnd {
  const texts = Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : []
  return {
    address,
    node: typeof node === 'string' ? node : undefined,
    tags: texts.toSorted(),
    user: typeof user === 'string' ? user : undefined,
  }
}
