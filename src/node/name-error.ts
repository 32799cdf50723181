// Why a name has no address in the tunnel, told as a person should hear it.
import { type Endpoint, formatAddress, type IpAddress } from '../core/base/address.js'
import type { LookupFailure, QuestionFailure } from '../core/resolver/resolver.js'
import { TunnelError } from '../errors.js'

/** What else is known when a lookup fails. */
export interface NameContext {
  /** Names that need no DNS. */
  readonly known: string
  /** See {@link StackPort.explain}. */
  explain(code: string, target: Endpoint): TunnelError | undefined
}

const longestShown = 255
const conf = '`Name` under its [Peer] or `Host = NAME ADDRESS` under [Interface]'

/** No DNS server is asked: it is no name, or there is no server for it. */
export function unaskableName(name: string, problem: string | undefined, known: string): TunnelError {
  const text =
    problem === undefined
      ? `unknown host ${shown(name)}: use an address, or add ${conf}, or a server as \`DNS = ADDRESS\` (known names: ${known})`
      : `unknown host ${shown(name)}: ${problem} (known names: ${known})`
  return new TunnelError('UNKNOWN_HOST', text)
}

export function explainLookup(
  name: string,
  family: 0 | 4 | 6,
  failure: LookupFailure,
  context: NameContext,
): TunnelError {
  if (failure.kind === 'busy') {
    return new TunnelError('DNS_UNAVAILABLE', `${shown(name)} was not looked up: too many names at once; try again`)
  }
  if (failure.kind === 'failed') return explainServers(name, failure, context)
  const servers = failure.servers.map(formatAddress).join(', ')
  if (failure.exists) {
    const what = family === 0 ? 'no address' : `no IPv${family} address`
    const text = `${shown(name)} has ${what}: check its records (asked: ${servers})`
    return new TunnelError('UNKNOWN_HOST', text)
  }
  const asked = failure.asked.join(', ')
  const text = `unknown host ${shown(name)}: DNS in the tunnel (${servers}) has no ${asked}: check the name, or add ${conf} (known names: ${context.known})`
  return new TunnelError('UNKNOWN_HOST', text)
}

function explainServers(name: string, { name: asked, failures }: QuestionFailure, context: NameContext): TunnelError {
  const silent = failures.find(({ reason }) => reason === 'silent' || reason === 'EHOSTUNREACH')
  const peer = silent && context.explain('ETIMEDOUT', endpointOf(silent.server))
  // Nobody answers who could carry the question: that is what has to be seen to.
  if (peer !== undefined) return peer
  const whom = failures.length === 0 ? `no server is there for its alias ${asked}` : failures.map(tell).join(', ')
  return new TunnelError('DNS_UNAVAILABLE', `cannot look up ${shown(name)}: ${whom}: ${remedyOf(failures)}`)
}

function tell({ server, reason }: QuestionFailure['failures'][number]): string {
  const who = `DNS server ${formatAddress(server)}`
  if (reason === 'silent' || reason === 'ETIMEDOUT') return `${who} does not answer`
  if (reason === 'EACCES') return `the policy does not let this host ask ${who}`
  if (reason === 'ENETUNREACH') return `${who} is outside of every peer's AllowedIPs`
  return `${who} ${/^[A-Z]/.test(reason) ? `says ${reason}` : reason}`
}

function remedyOf(failures: QuestionFailure['failures']): string {
  if (failures.some(({ reason }) => reason === 'EACCES')) return 'have a rule for "udp:53" and "tcp:53" to it added'
  if (failures.some(({ reason }) => reason === 'ENETUNREACH')) {
    return 'add it to the AllowedIPs of the peer that leads to it, or name another server as `DNS = ADDRESS`'
  }
  return "check `DNS` and `DNSRoute` of the configuration, and whether the server serves this tunnel's address"
}

function endpointOf(address: IpAddress): Endpoint {
  return { address, port: 53 }
}

function shown(name: string): string {
  return JSON.stringify(name.length > longestShown ? `${name.slice(0, longestShown)}…` : name)
}
