// Protocols and ports as a policy file spells them, in acls (`proto` and `HOST:PORTS`) and in the `ip` of grants.
import type { PortRange } from './types.js'

/** IP protocol numbers (IANA) that the dialect names. */
const protocolNumbers: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipv4: 4,
  'ip-in-ip': 4,
  tcp: 6,
  egp: 8,
  igp: 9,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  sctp: 132,
}

export const protocolNames: readonly string[] = Object.keys(protocolNumbers)

export const tcp = 6
export const udp = 17
const sctp = 132
export const icmp = 1
export const icmpv6 = 58
export const lastPort = 65_535

/** What a rule without a protocol allows. */
export const defaultProtocols: readonly number[] = [tcp, udp, icmp, icmpv6]

export function hasPorts(protocol: number): boolean {
  return protocol === tcp || protocol === udp || protocol === sctp
}

/** A name or `1` to `255`; undefined if it is none. */
export function parseProtocol(text: string): number | undefined {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text) <= 255 ? Number(text) : undefined
  return Object.hasOwn(protocolNumbers, text) ? protocolNumbers[text] : undefined
}

export function protocolName(protocol: number): string {
  return protocolNames.find(name => protocolNumbers[name] === protocol) ?? String(protocol)
}

/** A cause with a remedy, `cause: remedy`. */
export class PortProblem {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

type Ports = readonly (readonly [first: number, last: number])[]

const anyPort: Ports = [[0, lastPort]]

/** `*`, `22`, `1000-2000` and, with `list`, several of them with commas between. */
function parsePorts(text: string, list: boolean): Ports | PortProblem {
  if (text === '*') return anyPort
  const parts = text.split(',')
  if (parts.length > 1 && !list)
    return new PortProblem(`"${text}" has a comma: write an entry for each, "${parts[0]}" …`)
  const ports: [number, number][] = []
  for (const part of parts) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part)
    if (match === null) return new PortProblem(notAPort(part))
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (first > lastPort || last > lastPort) return new PortProblem(`"${part}" is above the last port, ${lastPort}`)
    if (first > last) return new PortProblem(`"${part}" is backward: write "${last}-${first}"`)
    if (first === 0) return new PortProblem(`"${part}" has port 0: ports start at 1; "*" stands for all`)
    ports.push([first, last])
  }
  return ports
}

const wellKnown: Readonly<Record<string, number>> = {
  ssh: 22,
  dns: 53,
  http: 80,
  https: 443,
  postgres: 5432,
  rdp: 3389,
}

function notAPort(text: string): string {
  const known = Object.hasOwn(wellKnown, text.toLowerCase()) ? wellKnown[text.toLowerCase()] : undefined
  if (known !== undefined) return `"${text}" is a name: ports are numbers, write ${known}`
  if (text === '') return 'a port is missing: write a number, a range or "*"'
  return `"${text}" is no port: write a number from 1 to ${lastPort}, a range or "*"`
}

/** The ports of a destination of `acls`; without a protocol those of TCP and UDP, and ICMP with them. */
export function aclPorts(text: string, protocol: number | undefined): readonly PortRange[] | PortProblem {
  const ports = parsePorts(text, true)
  if (ports instanceof PortProblem) return ports
  if (protocol === undefined) return defaultProtocols.flatMap(each => portsOf(each, ports))
  if (text !== '*' && !hasPorts(protocol))
    return new PortProblem(`"${text}" names ports, and ${protocolName(protocol)} has none: write "*"`)
  return portsOf(protocol, ports)
}

/** An entry of `ip`: `*`, `22`, `80-443`, `tcp:443`, `icmp:*`. */
export function grantPorts(text: string): readonly PortRange[] | PortProblem {
  const colon = text.indexOf(':')
  if (colon < 0) {
    if (parseProtocol(text) !== undefined && !/^\d/.test(text))
      return new PortProblem(`"${text}" has no ports: write "${text}:*"`)
    const ports = parsePorts(text, false)
    return ports instanceof PortProblem ? ports : defaultProtocols.flatMap(each => portsOf(each, ports))
  }
  const protocol = parseProtocol(text.slice(0, colon))
  if (protocol === undefined)
    return new PortProblem(`"${text.slice(0, colon)}" is no protocol: write ${protocolChoice}`)
  const rest = text.slice(colon + 1)
  const ports = parsePorts(rest, false)
  if (ports instanceof PortProblem) return ports
  if (rest !== '*' && !hasPorts(protocol))
    return new PortProblem(
      `"${text}" names ports, and ${protocolName(protocol)} has none: write "${text.slice(0, colon)}:*"`,
    )
  return portsOf(protocol, ports)
}

export const protocolChoice = `one of ${protocolNames.join(', ')}, or a number from 1 to 255`

/** ICMP beside ports stands for all of it. */
function portsOf(protocol: number, ports: Ports): PortRange[] {
  if (!hasPorts(protocol)) return [{ protocol, first: 0, last: lastPort }]
  return ports.map(([first, last]) => ({ protocol, first, last }))
}

/** Sorted, joined where they touch. */
export function normalisePorts(ports: readonly PortRange[]): PortRange[] {
  const joined: { protocol: number; first: number; last: number }[] = []
  for (const range of ports.toSorted((a, b) => a.protocol - b.protocol || a.first - b.first)) {
    const before = joined.at(-1)
    if (before !== undefined && before.protocol === range.protocol && range.first <= before.last + 1)
      before.last = Math.max(before.last, range.last)
    else joined.push({ ...range })
  }
  return joined
}

export function includesPort(ports: readonly PortRange[], protocol: number, port: number): boolean {
  return ports.some(range => range.protocol === protocol && range.first <= port && port <= range.last)
}
