// Where a gateway leads, and where it must not: a peer that may reach one network must not reach the gateway's own services by
// it. What is this host's, of a link or of a cloud's metadata is out of bounds unless a route names just that.
import { networkInterfaces } from 'node:os'
import {
  formatAddress,
  formatPrefix,
  type IpAddress,
  maskAddress,
  type Prefix,
  parseAddress,
  parsePrefix,
  sameAddress,
} from '../../core/base/address.js'
import { createPrefixTable } from '../../core/base/prefix-table.js'
import { TunnelError } from '../../errors.js'

/** One route: a range that is reached as it is, or one address that stands for another. */
export interface GatewayRoute {
  readonly prefix: Prefix
  /** What is dialled instead; the prefix is then of one address. */
  readonly target?: IpAddress
}

/** How long this host's own addresses are remembered, ms. */
const ownAddressesLast = 1000

/** What no packet from elsewhere may be meant for (RFC 1122 3.2.1.3, RFC 3927 2.7, RFC 4291 2.5, 2.7): no route leads there. */
const unroutable = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/96',
  '::ffff:0:0/96',
  'fe80::/10',
  'ff00::/8',
]

/** Metadata services of clouds that are not link-local: whoever reaches them has the host's credentials (AWS, Azure, Alibaba). */
const metadata = ['fd00:ec2::254/128', '168.63.129.16/32', '100.100.100.200/32']

/** `CIDR`, an address alone, or `ADDRESS=TARGET`. Throws USAGE. */
export function readRoute(text: string): GatewayRoute {
  const [range = '', targetText, ...rest] = text.split('=')
  const prefix = parsePrefix(range)
  const target = targetText === undefined ? undefined : parseAddress(targetText)
  if (prefix === undefined || rest.length > 0 || (targetText !== undefined && target === undefined)) {
    throw usage(text, 'write a range as 10.0.0.0/8, or ADDRESS=TARGET')
  }
  const where = unroutable.find(other => isWithin(prefix, parsePrefix(other) as Prefix))
  if (where !== undefined) {
    throw usage(
      text,
      `no host sends packets for ${where} into a tunnel: give what is there another address, ADDRESS=${formatAddress(prefix.address)}`,
    )
  }
  if (target === undefined) return { prefix }
  if (prefix.length !== prefix.address.length * 8) throw usage(text, 'only a single address can stand for another')
  return { prefix, target }
}

function usage(text: string, remedy: string): TunnelError {
  return new TunnelError('USAGE', `--route ${text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?')}: ${remedy}`)
}

/** The prefix lies within the range. */
function isWithin({ address, length }: Prefix, range: Prefix): boolean {
  if (range.address.length !== address.length || length < range.length) return false
  return sameAddress(maskAddress(address, range.length), range.address)
}

export interface TargetRules {
  readonly routes: readonly GatewayRoute[]
  /** This host's addresses now. */
  readonly ownAddresses?: () => readonly string[]
  /** AllowedIPs of the tunnel's peers now, as text: what is theirs is inside the tunnel, not behind this host. */
  readonly inside: () => readonly string[]
  readonly now?: () => number
}

/** What to dial for an address that a peer means, or why not. */
export type Verdict = { readonly host: string } | { readonly denied: string }

interface Bound {
  readonly range: Prefix
  readonly why: string
}

export function createTargets(rules: TargetRules): (address: string) => Verdict {
  const { routes, inside, ownAddresses = systemAddresses, now = () => performance.now() } = rules
  const byPrefix = createPrefixTable<GatewayRoute>()
  for (const route of routes) byPrefix.insert(route.prefix, route)
  let bounds = createPrefixTable<Bound>()
  let madeAt = Number.NEGATIVE_INFINITY

  function renewBounds(): void {
    if (now() - madeAt < ownAddressesLast) return
    madeAt = now()
    bounds = createPrefixTable()
    const add = (texts: readonly string[], why: string) => {
      for (const text of texts) {
        const range = parsePrefix(text)
        if (range !== undefined) bounds.insert(range, { range, why })
      }
    }
    add(inside(), "it is a peer's")
    add(unroutable, "it is this host's, or of its link")
    add(metadata, "it is a cloud's metadata service")
    add(ownAddresses(), "it is this host's own")
  }

  return address => {
    const bytes = parseAddress(address)
    const route = bytes && byPrefix.lookup(bytes, 0, bytes.length as 4 | 16)
    if (bytes === undefined || route === undefined) return { denied: 'no route leads there' }
    if (route.target !== undefined) return { host: formatAddress(route.target) }
    renewBounds()
    // The longest that covers it: a route that is as long names just that.
    const bound = bounds.lookup(bytes, 0, bytes.length as 4 | 16)
    if (bound === undefined || route.prefix.length >= bound.range.length) return { host: address }
    return { denied: `${bound.why}, and no --route names ${formatPrefix(bound.range)}` }
  }
}

function systemAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(list =>
    (list ?? []).map(({ address }) => address.replace(/%.*/, '')),
  )
}
