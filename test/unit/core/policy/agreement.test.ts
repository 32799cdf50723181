// The compiled policy beside an interpreter that reads the rules one by one, over random policies, networks and flows.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type IpAddress, type Prefix, parseAddress, parsePrefix } from '../../../../src/core/base/address.js'
import { compilePolicy } from '../../../../src/core/policy/compile.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import { NaiveInterpreter, type NaiveNode, type NaivePolicy } from '../../../support/naive-policy.js'

const users = ['ann@x.com', 'bob@x.com', 'eve@y.org']
const tags = ['tag:web', 'tag:db', 'tag:ci']
const roles = ['admin', 'owner']
const subnets = ['10.20.0.0/16', '10.20.3.0/24', '192.168.7.0/24', 'fd20::/48', '203.0.112.0/22']
const outside = [
  '10.99.1.1',
  '203.0.113.9',
  '100.64.9.9',
  '8.8.8.8',
  'fd99::1',
  '2606:4700::1111',
  '10.20.3.4',
  '10.20.9.9',
  'fd20::7',
  '192.168.7.1',
]

/** Node `i` is 100.64.0.i and fd7a::i. */
const node = (i: number): fc.Arbitrary<NaiveNode> =>
  fc
    .record({
      kind: fc.constantFrom('user', 'tagged', 'both', 'nobody'),
      tags: fc.uniqueArray(fc.constantFrom(...tags), { minLength: 1 }),
      user: fc.constantFrom(...users),
      exit: fc.constantFrom([], [], ['0.0.0.0/0', '::/0']),
      roles: fc.uniqueArray(fc.constantFrom(...roles)),
      isPublic: fc.constantFrom(true, false, false),
      routes: fc.uniqueArray(fc.constantFrom(...subnets), { maxLength: 2 }),
    })
    .map(({ kind, ...made }) => ({
      name: `node${i}`,
      addresses: [`100.64.0.${i}`, `fd7a::${i}`, ...(made.isPublic ? [`203.0.113.${i}`] : [])],
      tags: kind === 'tagged' || kind === 'both' ? made.tags : [],
      ...(kind === 'user' || kind === 'both' ? { user: made.user } : {}),
      roles: made.roles,
      routes: [...made.routes, ...made.exit],
    }))

const nodes = fc.tuple(...[1, 2, 3, 4, 5, 6].map(node))

const either = [
  'group:dev',
  'group:ops',
  'group:none',
  ...users,
  'user:*@x.com',
  'user:*@y.org',
  'group:sec@x.com',
  ...tags,
  'autogroup:member',
  'autogroup:members',
  'autogroup:tagged',
  'autogroup:admin',
  'autogroup:owner',
  'one',
  'net',
  'six',
  'mapped',
  '100.64.0.2',
  '100.64.0.0/30',
  '10.20.3.0/24',
  'fd7a::3',
  'ipset:all',
  'ipset:less',
  'ipset:nested',
]
const anySource = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom('*', '*', ...either, 'autogroup:danger-all') },
  fc.constant('autogroup:shared'),
)
/** autogroup:self goes with users and groups only. */
const userSource = fc.constantFrom('group:dev', 'group:ops', 'autogroup:member', ...users)
const destination = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom('*', '*', ...either, 'autogroup:internet') },
  fc.constant('svc:shop'),
)
const ports = fc.oneof(
  fc.constantFrom('*', '22', '443', '80,443', '1000-2000', '22,1000-1999,65535', '1-65535'),
  fc
    .tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 0, max: 500 }))
    .map(([from, more]) => `${from}-${Math.min(65535, from + more)}`),
)
const service = fc.oneof(
  ports.filter(text => !text.includes(',')),
  ports.filter(text => !text.includes(',')).map(text => `tcp:${text}`),
  ports.filter(text => !text.includes(',')).map(text => `udp:${text}`),
  fc.constantFrom('icmp:*', 'sctp:*', 'tcp:*', 'gre:*', 'ipv6-icmp:*', '50:*'),
)
const withheld = fc.constantFrom<object>({}, {}, {}, {}, {}, { srcPosture: ['posture:disk'] })
const bracket = (target: string) => (/^[0-9a-f]*:[0-9a-f:]*$/.test(target) ? `[${target}]` : target)

const acl = fc
  .record({
    src: fc.array(anySource, { minLength: 1, maxLength: 3 }),
    targets: fc.array(fc.tuple(destination, ports), { minLength: 1, maxLength: 3 }),
    proto: fc.constantFrom(undefined, undefined, 'tcp', 'udp', 'icmp', 'sctp', '6', 'gre'),
    withheld,
  })
  .map(({ src, targets, proto, withheld }) => {
    const portless = proto === 'icmp' || proto === 'gre'
    return {
      action: 'accept',
      src,
      dst: targets.map(([target, port]) => `${bracket(target)}:${portless ? '*' : port}`),
      ...(proto === undefined ? {} : { proto }),
      ...withheld,
    }
  })
const grant = fc.record({
  src: fc.array(anySource, { minLength: 1, maxLength: 3 }),
  dst: fc.array(destination, { minLength: 1, maxLength: 3 }),
  ip: fc.array(service, { minLength: 1, maxLength: 3 }),
})
const routed = fc
  .tuple(grant, withheld, fc.constantFrom<object>({}, {}, {}, { via: ['tag:ci'] }))
  .map(parts => Object.assign({}, ...parts))
const selfGrant = fc.record({
  src: fc.array(userSource, { minLength: 1, maxLength: 2 }),
  dst: fc.constant<string[]>(['autogroup:self']),
  ip: fc.array(service, { minLength: 1, maxLength: 2 }),
})

const setTarget = fc.constantFrom<string[]>(
  'host:one',
  'host:net',
  '100.64.0.0/29',
  '100.64.0.3',
  '10.20.0.0/16',
  'fd7a::/120',
  'fd7a::2',
  'autogroup:internet',
  '100.64.0.2-100.64.0.5',
  'fd7a::2-fd7a::4',
)
const setLine = fc.tuple(fc.constantFrom('add', 'remove'), setTarget).map(parts => parts.join(' '))
const set: fc.Arbitrary<string[]> = fc.oneof(
  fc.array(setTarget, { minLength: 1, maxLength: 3 }),
  fc.array(setLine, { minLength: 1, maxLength: 5 }),
)
const members = fc.uniqueArray(fc.constantFrom(...users), { maxLength: 3 })

const policy: fc.Arbitrary<NaivePolicy> = fc.record({
  groups: fc.record({ 'group:dev': members, 'group:ops': members, 'group:none': fc.constant<string[]>([]) }),
  hosts: fc.constant<Record<string, string>>({
    one: '100.64.0.1',
    net: '10.20.0.0/16',
    six: 'fd7a::4',
    mapped: '::ffff:100.64.0.3',
  }),
  ipsets: fc.record({
    'ipset:all': set,
    'ipset:less': set,
    'ipset:nested': fc
      .tuple(
        setLine,
        fc.constantFrom('add ipset:all', 'add ipset:less'),
        fc.constantFrom('remove ipset:less', 'remove ipset:all', 'add ipset:all'),
        setLine,
      )
      .map(lines => [...lines]),
  }),
  tagOwners: fc.constant(Object.fromEntries(tags.map(tag => [tag, []]))),
  postures: fc.constant({ 'posture:disk': ['node:os == "linux"'] }),
  acls: fc.array(acl, { minLength: 5, maxLength: 24 }),
  grants: fc.array(fc.oneof(routed, routed, selfGrant), { minLength: 5, maxLength: 24 }),
})

const end = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()).map(([i, six]) => (six ? `fd7a::${i}` : `100.64.0.${i}`)),
  fc.constantFrom(...outside),
  fc.integer({ min: 1, max: 6 }).map(i => `203.0.113.${i}`),
)
const flow = fc
  .record({
    source: end,
    destination: end,
    routed: fc.constantFrom(false, false, false, true),
    mapped: fc.boolean(),
    protocol: fc.constantFrom(6, 6, 6, 17, 17, 1, 58, 132, 47, 50),
    port: fc.oneof(
      fc.constantFrom(1, 22, 22, 443, 21, 22, 23, 80, 443, 999, 1000, 1999, 2000, 2001, 65535),
      fc.integer({ min: 1, max: 65535 }),
    ),
  })
  .filter(({ source, destination }) => source.includes(':') === destination.includes(':'))
  .map(made => ({ ...made, port: [6, 17, 132].includes(made.protocol) ? made.port : 0 }))

const sec = { 'group:sec@x.com': ['bob@x.com'] }
const synced = fc.constantFrom<Record<string, string[]> | undefined>(sec, sec, sec, {}, undefined)

/** How fields are called in a file: as in the documentation, in other letters, and as in files of years ago. */
const spelling = fc.constantFrom<Record<string, string>>(
  {},
  { acls: 'ACLs', grants: 'GRANTS', action: 'Action', hosts: 'Hosts', ip: 'IP', dst: 'DST' },
  { users: 'Users' },
)

/** The names of `users` and `ports` are for acls alone. */
function spelled(policy: NaivePolicy, names: Record<string, string>): string {
  const rename = (value: object, more: Record<string, string> = {}) =>
    Object.fromEntries(Object.entries(value).map(([key, each]) => [{ ...names, ...more }[key] ?? key, each]))
  const legacy = names.users === undefined ? {} : { src: 'Users', dst: 'ports' }
  const acls = policy.acls?.map(rule => rename(rule, legacy))
  return JSON.stringify(rename({ ...policy, acls, grants: policy.grants?.map(rule => rename(rule)) }), null, 2)
}

const bytes = (text: string) => parseAddress(text) as IpAddress
/** As 4 bytes, or in an IPv6 address. */
const bytesOf = (text: string, mapped: boolean) =>
  mapped && !text.includes(':') ? Uint8Array.from([...new Array(10).fill(0), 255, 255, ...bytes(text)]) : bytes(text)

function compiled(text: string, nodes: readonly NaiveNode[], groups: Record<string, string[]> | undefined) {
  const document = parsePolicy(text)
  expect(document.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return compilePolicy(document, {
    ...(groups === undefined ? {} : { groups }),
    nodes: nodes.map(node => ({
      ...node,
      addresses: node.addresses.map(bytes),
      routes: node.routes.map(route => parsePrefix(route) as Prefix),
    })),
  })
}

const withoutRoles = ({ roles: _roles, ...node }: NaiveNode): NaiveNode => node

const world = fc
  .record({
    policy,
    nodes,
    synced,
    spelling,
    hasRoles: fc.constantFrom(true, true, true, false),
    posture: fc.integer({ min: 0, max: 19 }),
  })
  .map(({ hasRoles, posture, ...made }) => ({
    ...made,
    nodes: hasRoles ? made.nodes : made.nodes.map(withoutRoles),
    policy: posture === 0 ? { ...made.policy, defaultSrcPosture: ['posture:disk'] } : made.policy,
  }))

describe('the compiled policy', () => {
  it('decides as the rules read one by one', { timeout: 120_000 }, () => {
    let allowed = 0
    let asked = 0
    fc.assert(
      fc.property(world, fc.array(flow, { minLength: 40, maxLength: 40 }), (world, flows) => {
        const fast = compiled(spelled(world.policy, world.spelling), world.nodes, world.synced)
        const slow = new NaiveInterpreter(world.policy, world.nodes, world.synced)
        for (const flow of flows) {
          const [from, to] = [bytesOf(flow.source, flow.mapped), bytesOf(flow.destination, flow.mapped)]
          const decided = fast.decide(from, to, flow.protocol, flow.port, flow.routed) >= 0
          const pings = fast.mayPing(from, to, flow.routed)
          const expected = slow.allows(flow)
          const expectedPings = slow.allowsPing(flow.source, flow.destination, flow.routed)
          if (decided !== expected || pings !== expectedPings) {
            expect({ flow, decided, pings }).toEqual({ flow, decided: expected, pings: expectedPings })
          }
          asked++
          if (expected) allowed++
        }
      }),
      { numRuns: 150 },
    )
    // Neither answer is a rarity.
    expect(allowed / asked).toBeGreaterThan(0.04)
    expect(allowed / asked).toBeLessThan(0.8)
  })
})
