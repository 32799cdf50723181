// A policy file's meaning, sentence by sentence, as slowly as it reads: the judge of the compiled one. It shares no code with
// src/core/policy, its selectors and addresses included, and takes JSON that has been parsed.

/** One machine of the network. */
export interface NaiveNode {
  name: string
  addresses: string[]
  tags: string[]
  user?: string
  roles?: string[]
  routes: string[]
}

interface NaiveRule {
  action?: string
  src: string[]
  dst: string[]
  proto?: string
  ip?: string[]
  app?: unknown
  via?: string[]
  srcPosture?: string[]
}

/** The sections that decide. */
export interface NaivePolicy {
  groups?: Record<string, string[]>
  hosts?: Record<string, string>
  ipsets?: Record<string, string[]>
  acls?: NaiveRule[]
  grants?: NaiveRule[]
  /** A condition on every rule that has none of its own. */
  defaultSrcPosture?: string[]
}

export interface NaiveFlow {
  source: string
  destination: string
  protocol: number
  /** Of the destination; 0 where the protocol has none. */
  port: number
  /** It came through the routes of another machine than its own. */
  routed?: boolean
}

/** An address as a number, and how many bits its family has. */
interface Number128 {
  bits: 32 | 128
  value: bigint
}

function v4(text: string): Number128 | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every(part => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined
  return { bits: 32, value: parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n) }
}

/** `::ffff:1.2.3.4` is 1.2.3.4. */
function mapped(text: string): Number128 | undefined {
  return text.toLowerCase().startsWith('::ffff:') ? v4(text.slice(7)) : undefined
}

function v6(text: string): Number128 | undefined {
  if (!/^[0-9a-f:]*:[0-9a-f:]*$/i.test(text)) return undefined
  const [left = '', right] = text.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':'))
  const head = words(left)
  const tail = right === undefined ? [] : words(right)
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return {
    bits: 128,
    value: [...head, ...zeros, ...tail].reduce((sum, word) => sum * 65536n + BigInt(`0x${word}`), 0n),
  }
}

const known = new Map<string, Number128 | undefined>()

function address(text: string): Number128 | undefined {
  if (!known.has(text)) known.set(text, v4(text) ?? mapped(text) ?? v6(text))
  return known.get(text)
}

/** Whether `text`, an address, a CIDR or `FIRST-LAST`, covers the address. */
function covers(text: string, one: string): boolean {
  const [from, to] = text.split('-').map(address)
  if (from && to) {
    const asked = address(one)
    return asked?.bits === from.bits && from.value <= asked.value && asked.value <= to.value
  }
  const [base = '', length] = text.split('/')
  const range = address(base)
  const member = address(one)
  if (!range || !member || range.bits !== member.bits) return false
  const shift = BigInt(range.bits - (length === undefined ? range.bits : Number(length)))
  return range.value >> shift === member.value >> shift
}

/** What is not the public Internet: private, shared, link-local, loopback and multicast addresses. */
const notInternet = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '127.0.0.0/8',
  '224.0.0.0/3',
]

function isInternet(one: string): boolean {
  return one.includes(':') ? covers('2000::/3', one) : !notInternet.some(range => covers(range, one))
}

const names: Record<string, number> = {
  icmp: 1,
  igmp: 2,
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
const withoutName = [6, 17, 1, 58]

function portsMatch(ports: string, port: number): boolean {
  return ports.split(',').some(part => {
    if (part === '*') return true
    const [first = '', last = first] = part.split('-')
    return port >= Number(first) && port <= Number(last)
  })
}

export class NaiveInterpreter {
  private readonly policy: NaivePolicy
  private readonly nodes: readonly NaiveNode[]
  /** Those that the network gives and the policy does not. */
  private readonly synced: Record<string, string[]>

  constructor(policy: NaivePolicy, nodes: readonly NaiveNode[], synced: Record<string, string[]> = {}) {
    this.policy = policy
    this.nodes = nodes
    this.synced = synced
  }

  /** Whether some rule allows the flow. Any rule between two addresses also allows ping. */
  allows(flow: NaiveFlow): boolean {
    if (flow.protocol === (flow.source.includes(':') ? 58 : 1))
      return this.allowsPing(flow.source, flow.destination, flow.routed)
    return this.#rules().some(rule => this.#pairMatches(rule, flow) && this.#serviceMatches(rule, flow))
  }

  /** Whether a rule stands between the two addresses, whatever for. */
  allowsPing(source: string, destination: string, routed = false): boolean {
    const flow = { source, destination, protocol: 1, port: 0, routed }
    return this.#rules().some(rule => this.#pairMatches(rule, flow, true))
  }

  #rules(): { rule: NaiveRule; kind: 'acl' | 'grant' }[] {
    const hasRoles = this.nodes.some(node => node.roles !== undefined)
    const isKnown = (selector: string) => {
      if (selector.startsWith('autogroup:shared') || selector.startsWith('svc:')) return false
      if (/^autogroup:(owner|admin)/.test(selector)) return hasRoles
      const synced = /^group:[^:@]+@[^:@]+/.exec(selector)
      return synced === null || this.synced[synced[0]] !== undefined
    }
    // One condition, or one selector, of which nobody here can say whether it holds: then the rule grants nothing.
    const evaluable = (rule: NaiveRule) =>
      !rule.via && !rule.srcPosture && !this.policy.defaultSrcPosture && [...rule.src, ...rule.dst].every(isKnown)
    return [
      ...(this.policy.acls ?? []).filter(evaluable).map(rule => ({ rule, kind: 'acl' as const })),
      // Without `ip` a grant is about applications, not about packets.
      ...(this.policy.grants ?? [])
        .filter(rule => evaluable(rule) && rule.ip)
        .map(rule => ({ rule, kind: 'grant' as const })),
    ]
  }

  #pairMatches({ rule, kind }: { rule: NaiveRule; kind: 'acl' | 'grant' }, flow: NaiveFlow, anyPort = false): boolean {
    return rule.src.some(src =>
      rule.dst.some(dst => {
        const at = dst.lastIndexOf(':')
        const target = kind === 'acl' ? dst.slice(0, at) : dst
        const ports = kind === 'acl' ? dst.slice(at + 1) : '*'
        if (!this.#isSource(src, flow.source, flow.routed ?? false)) return false
        if (!this.#isDestination(target.replace(/^\[(.*)\]$/, '$1'), flow)) return false
        return anyPort || kind === 'grant' || !hasPorts(flow.protocol) || portsMatch(ports, flow.port)
      }),
    )
  }

  #serviceMatches({ rule, kind }: { rule: NaiveRule; kind: 'acl' | 'grant' }, flow: NaiveFlow): boolean {
    if (kind === 'acl') {
      const protocols = rule.proto === undefined ? withoutName : [names[rule.proto] ?? Number(rule.proto)]
      return protocols.includes(flow.protocol)
    }
    return (rule.ip ?? []).some(ip => {
      const [protocol, ports] = ip.includes(':') ? (ip.split(':') as [string, string]) : [undefined, ip]
      if (protocol === undefined) {
        return withoutName.includes(flow.protocol) && (!hasPorts(flow.protocol) || portsMatch(ports, flow.port))
      }
      return (
        (names[protocol] ?? Number(protocol)) === flow.protocol &&
        (!hasPorts(flow.protocol) || portsMatch(ports, flow.port))
      )
    })
  }

  #isSource(selector: string, one: string, routed: boolean): boolean {
    if (selector === '*') {
      return this.nodes.some(
        node => (owns(node, one) && !routed) || node.routes.some(route => isSubnet(route) && covers(route, one)),
      )
    }
    if (selector === 'autogroup:danger-all') return true
    return this.#covers(selector, one, routed)
  }

  #isDestination(selector: string, { destination: one, source, routed }: NaiveFlow): boolean {
    if (selector === '*') return true
    if (selector === 'autogroup:internet') return isInternet(one) && this.#goesThroughExit(one)
    if (selector === 'autogroup:self') {
      const from = routed ? undefined : this.nodes.find(node => owns(node, source))
      return this.nodes.some(
        node => owns(node, one) && isOfUser(node) && from !== undefined && isOfUser(from) && node.user === from.user,
      )
    }
    return this.#covers(selector, one, false)
  }

  /** What a subnet router brings to its subnet is no way out, unless that router is an exit node as well. */
  #goesThroughExit(one: string): boolean {
    if (this.nodes.some(node => owns(node, one))) return false
    const routers = this.nodes.flatMap(node =>
      node.routes.filter(route => covers(route, one)).map(route => ({ node, length: Number(route.split('/')[1]) })),
    )
    const longest = Math.max(...routers.map(({ length }) => length))
    const nearest = routers.filter(({ length }) => length === longest)
    return routers.length === 0 || nearest.some(({ node }) => node.routes.some(route => !isSubnet(route)))
  }

  /** Selectors that mean the same at either end. Through routes an address is nobody's. */
  #covers(selector: string, one: string, routed: boolean): boolean {
    const some = (is: (node: NaiveNode) => boolean) => !routed && this.nodes.some(node => owns(node, one) && is(node))
    if (selector === 'autogroup:member' || selector === 'autogroup:members') return some(isOfUser)
    if (selector === 'autogroup:tagged') return some(node => node.tags.length > 0)
    if (selector === 'autogroup:shared') return false
    if (selector.startsWith('autogroup:'))
      return some(node => isOfUser(node) && (node.roles ?? []).includes(selector.slice(10)))
    if (selector.startsWith('tag:')) return some(node => node.tags.includes(selector))
    if (selector.startsWith('group:')) {
      return (this.policy.groups?.[selector] ?? this.synced[selector] ?? []).some(member =>
        some(node => isOfUser(node) && isUser(member, node.user as string)),
      )
    }
    if (selector.startsWith('ipset:')) return this.#isInSet(selector, one)
    if (selector.includes('@')) return some(node => isOfUser(node) && isUser(selector, node.user as string))
    const host = this.policy.hosts?.[selector]
    return covers(host ?? selector, one)
  }

  /** Its lines in their order: each adds to what stands so far or takes from it. */
  #isInSet(set: string, one: string): boolean {
    let is = false
    for (const line of this.policy.ipsets?.[set] ?? []) {
      const [verb, target] = line.includes(' ') ? (line.split(' ') as [string, string]) : ['add', line]
      const member = target.startsWith('ipset:')
        ? this.#isInSet(target, one)
        : target === 'autogroup:internet'
          ? isInternet(one)
          : covers(this.policy.hosts?.[target.replace(/^host:/, '')] ?? target, one)
      if (member) is = verb === 'add'
    }
    return is
  }
}

function owns(node: NaiveNode, one: string): boolean {
  return node.addresses.some(own => covers(own, one))
}

/** A tagged machine is its tags', whoever set it up. */
function isOfUser(node: NaiveNode): boolean {
  return node.tags.length === 0 && node.user !== undefined
}

function isUser(selector: string, user: string): boolean {
  return selector.startsWith('user:*@') ? user.endsWith(selector.slice(6)) : selector === user
}

/** An exit node's default route is none. */
function isSubnet(route: string): boolean {
  return !route.endsWith('/0')
}

/** TCP, UDP and SCTP; of ICMP and all others a rule says everything or nothing. */
function hasPorts(protocol: number): boolean {
  return protocol === 6 || protocol === 17 || protocol === 132
}
