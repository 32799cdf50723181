// Policy and netmap files of any text: whatever is wrong is said with a place in the file, what has an error is never enforced,
// and what has none decides as its rules read one by one, and never more with a rule taken out.
import { strictEqual } from 'node:assert'
import { formatAddress, parseAddress, parsePrefix } from '../../src/core/base/address.js'
import { type CompiledPolicy, compilePolicy } from '../../src/core/policy/compile.js'
import type { Diagnostic } from '../../src/core/policy/diagnostics.js'
import { diffPolicies } from '../../src/core/policy/diff.js'
import { explain } from '../../src/core/policy/explain.js'
import type { Netmap, NetmapNode } from '../../src/core/policy/netmap.js'
import { checkNetmapFile, parseNetmap } from '../../src/core/policy/netmap-file.js'
import { hasErrors, parsePolicy } from '../../src/core/policy/policy.js'
import { addressValue } from '../../src/core/policy/ranges.js'
import { Reach, yes } from '../../src/core/policy/reach.js'
import { runPolicyTests } from '../../src/core/policy/tests.js'
import type { PolicyDocument } from '../../src/core/policy/types.js'
import { TunnelError } from '../../src/errors.js'
import type { Target } from './parsers.js'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const encode = (text: string) => new TextEncoder().encode(text)
const address = (text: string) => parseAddress(text) as Uint8Array

function node(name: string, addresses: string, more: Partial<NetmapNode> = {}, routes = ''): NetmapNode {
  const own = addresses.split(' ').map(address)
  return { name, addresses: own, tags: [], ...more, routes: routes.split(' ').flatMap(text => parsePrefix(text) ?? []) }
}

/** The names are those of the seeds. */
const network: Netmap = {
  nodes: [
    node('laptop', '100.64.0.1 fd7a::1', { user: 'ada@example.com', roles: ['admin'] }),
    node('phone', '100.64.0.2', { user: 'ada@example.com' }),
    node('desktop', '100.64.0.3', { user: 'grace@example.com' }),
    node('web1', '100.64.0.11 fd7a::11', { tags: ['tag:web'], user: 'ada@example.com' }),
    node('db1', '100.64.0.12', { tags: ['tag:db'] }, '192.168.10.0/24'),
    node('exit1', '100.64.0.14', { tags: ['tag:exit'] }, '0.0.0.0/0 ::/0'),
  ],
}
const ends = ['100.64.0.1', '100.64.0.2', '100.64.0.3', '100.64.0.11', '100.64.0.12', '192.168.10.20', '8.8.8.8']
const ends6 = ['fd7a::1', 'fd7a::11', '2606:4700::1']
const flows = [ends, ends6].flatMap(family =>
  family.flatMap(from =>
    family.flatMap(to =>
      [
        [6, 22],
        [17, 443],
        [family === ends ? 1 : 58, 0],
        [47, 0],
      ].map(([protocol, port]) => ({
        from: address(from),
        to: address(to),
        protocol: protocol as number,
        port: port as number,
      })),
    ),
  ),
)

/** Every complaint stands somewhere in the text, in the order of the file, and says something on one line. */
function checkPlaces(text: string, diagnostics: readonly Diagnostic[]): void {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)
  let last = { line: 1, column: 1 }
  for (const { line, column, code, message } of diagnostics) {
    const length = lines[line - 1]?.length ?? -1
    if (!(column >= 1 && column <= length + 1)) throw new Error(`${code}: line ${line}, column ${column} is not there`)
    if (line < last.line || (line === last.line && column < last.column)) throw new Error(`${code}: out of order`)
    if (!/^[a-z-]+$/.test(code)) throw new Error(code)
    checkText(message)
    last = { line, column }
  }
}

/** A line for a terminal: nothing in it moves a cursor or begins another line. */
function checkText(text: string): void {
  if (text === '' || /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(text)) throw new Error(JSON.stringify(text))
}

function readPolicy(input: Uint8Array): string {
  const text = utf8.decode(input)
  const document = parsePolicy(text)
  checkPlaces(text, document.diagnostics)
  const codes = [...new Set(document.diagnostics.map(({ code }) => code))].sort().join()
  for (const { name, reasons } of runPolicyTests(document)) for (const each of [name, ...reasons]) checkText(each)
  for (const { text: rule } of document.rules) checkText(rule)
  if (hasErrors(document)) {
    let refused = false
    try {
      compilePolicy(document, network)
    } catch (error) {
      refused = error instanceof TunnelError && error.code === 'POLICY_INVALID'
    }
    if (!refused) throw new Error('a policy with errors was compiled')
    return codes
  }
  for (const { outcome, line } of runPolicyTests(document, network))
    if (!['passed', 'failed', 'undecided', 'not-run'].includes(outcome) || line < 1) throw new Error(outcome)
  checkText(explain(document, network, 'laptop', 'web1:22').why)
  const allowed = checkDecisions(document)
  checkFewerRules(document)
  return `${allowed} of ${Math.min(document.rules.length, 8)} ${codes}`
}

function decisions(policy: CompiledPolicy): number[] {
  return flows.map(({ from, to, protocol, port }) => policy.decide(from, to, protocol, port))
}

/** Each decision is that of the rules asked one by one. Says how many are allowed, in eighths. */
function checkDecisions(document: PolicyDocument): number {
  const reach = new Reach(document, network)
  const end = (bytes: Uint8Array) => {
    const { family, value } = addressValue(bytes)
    return reach.addressEnd(family, value, formatAddress(bytes))
  }
  const known = new Map([...ends, ...ends6].map(text => [address(text).join(), end(address(text))]))
  const decided = decisions(compilePolicy(document, network))
  for (const [i, { from, to, protocol, port }] of flows.entries()) {
    const { level, rules } = reach.verdict(known.get(from.join())!, known.get(to.join())!, protocol, port)
    strictEqual(decided[i], level === yes ? rules[0] : -1, `${from} to ${to} ${protocol} ${port}`)
  }
  return Math.round((decided.filter(rule => rule >= 0).length / flows.length) * 8)
}

/** Rules only accept: without one of them nothing more is allowed, and the difference says so too. */
function checkFewerRules(document: PolicyDocument): void {
  if (document.rules.length === 0) return
  const fewer = { ...document, rules: document.rules.slice(1) }
  const [all, some] = [document, fewer].map(each => decisions(compilePolicy(each, network)))
  for (const [i, rule] of some!.entries())
    if (rule >= 0 && !(all![i]! >= 0)) throw new Error(`flow ${i} is allowed without a rule, and not with it`)
  if (document.rules.length > 8) return
  strictEqual(diffPolicies(document, fewer, network).gains.length, 0, 'something was gained with a rule taken out')
  strictEqual(diffPolicies(document, document, network).losses.length, 0, 'the same policy differs')
}

function readNetmap(input: Uint8Array): string {
  const text = utf8.decode(input)
  const file = parseNetmap(text)
  checkPlaces(text, file.diagnostics)
  const codes = [...new Set(file.diagnostics.map(({ code }) => code))].sort().join()
  if (file.diagnostics.some(({ severity }) => severity === 'error')) return codes
  strictEqual(file.places.length, file.netmap.nodes.length)
  const problems = checkNetmapFile(file, everything)
  if (problems.length > 0) return problems.map(({ code }) => code).join()
  const policy = compilePolicy(everything, file.netmap)
  for (const each of file.netmap.nodes) {
    for (const own of each.addresses) {
      if (policy.nodeOf(own) !== each) throw new Error(`${each.name} is not known by ${formatAddress(own)}`)
      if (policy.decide(own, own, 6, 22) < 0) throw new Error(`${each.name} is not of the network`)
    }
  }
  return `${Math.min(file.netmap.nodes.length, 4)} ${codes}`
}

const everything = parsePolicy(
  '{ "tagOwners": { "tag:web": [] }, "acls": [{ "action": "accept", "src": ["*"], "dst": ["*:22"] }] }',
)

const small = `{ "groups": { "group:a": ["ada@example.com"] }, "hosts": { "h": "192.168.10.20" },
  "tagOwners": { "tag:web": [], "tag:db": ["tag:web"] }, "ipsets": { "ipset:s": ["add 10.0.0.0/8", "remove host:h"] },
  "acls": [{ "action": "accept", "src": ["group:a", "*"], "dst": ["tag:web:22,80-443", "ipset:s:*", "[fd7a::11]:22"] }],
  "grants": [{ "src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["tcp:22", "icmp:*"] }],
  "tests": [{ "src": "h", "proto": "tcp", "accept": ["tag:web:22"], "deny": ["tag:db:443"] }] }`

const large = `// A company: each section, and what has no effect.
{
  "groups": { "group:eng": ["ada@example.com", "grace@example.com"], "group:none": [], },
  "tagOwners": { "tag:web": ["group:eng"], "tag:db": ["tag:web"], "tag:exit": ["autogroup:admin"] },
  "hosts": { "office": "192.168.10.0/24", "printer": "192.168.10.20", "six": "fd7a::11" },
  "ipsets": { "ipset:office": ["add host:office", "remove 192.168.10.240/28", "add autogroup:internet"],
    "ipset:more": ["ipset:office", "10.1.0.1-10.1.0.9"] },
  "postures": { "posture:linux": ["node:os == 'linux'"] },
  "acls": [
    { "action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"] },
    { "Action": "accept", "users": ["group:eng"], "ports": ["tag:web:22,80,443", "tag:db:5432-5433"] },
    { "action": "accept", "src": ["tag:db"], "proto": "udp", "dst": ["six:443", "[fd7a::]/64:443"], "srcPosture": [] },
    { "action": "accept", "src": ["user:*@example.com"], "dst": ["printer:631", "ipset:more:443", "autogroup:internet:*"] },
    { "action": "accept", "src": ["*"], "dst": ["*:*"], "srcPosture": ["posture:linux"] },
  ],
  "grants": [
    { "src": ["ipset:office", "autogroup:admin"], "dst": ["tag:web"], "ip": ["icmp:*", "tcp:80-443"] },
    { "src": ["autogroup:tagged", "autogroup:shared"], "dst": ["svc:shop"], "ip": ["443"], "via": ["tag:exit"] },
    { "src": ["autogroup:danger-all"], "dst": ["100.64.0.11", "group:eng"], "ip": ["gre:*"], "app": { "x.com/y": [{}] } },
  ],
  "ssh": [], "nodeAttrs": [{ "target": ["*"] }], "autoApprovers": {}, "derpMap": null, "disableIPv4": false,
  "tests": [
    { "src": "ada@example.com", "accept": ["tag:web:443"], "deny": ["tag:db:22"] },
    { "user": "group:eng", "proto": "icmp", "allow": ["tag:db:0"] },
  ],
  "sshTests": [{ "src": "ada@example.com", "dst": ["tag:web"], "deny": ["root"] }],
}`

const netmap = `{ "domain": "corp.example", "nodes": [ { "name": "web1", "addresses": ["10.7.0.3", "fd07::3"],
  "key": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "tags": ["tag:web"], "user": "ada@example.com",
  "roles": ["admin"], "routes": ["192.168.4.0/24"], "expiry": "2030-01-02T03:04:05Z" },
  { "name": "exit", "addresses": ["10.7.0.4"], "routes": ["0.0.0.0/0"] } ],
  "groups": { "group:eng@example.com": ["ada@example.com"] } }`

const words = [
  ...[
    '"*"',
    '"src"',
    '"dst"',
    '"ip"',
    '"acls"',
    '"grants"',
    '"via": ["tag:web"]',
    '"srcPosture": []',
    'null',
    '"proto": "udp"',
  ],
  ...[
    'tag:web',
    'tag:db',
    'group:a',
    'autogroup:self',
    'autogroup:internet',
    'autogroup:danger-all',
    'autogroup:tagged',
  ],
  ...['autogroup:admin', 'user:*@example.com', 'ada@example.com', '::ffff:100.64.0.1', '100.64.0.0/24', '0.0.0.0/0'],
  ...[':22', ':*', ':1-65535', 'tcp:', 'gre:*', 'add ', 'remove ', 'ipset:s', '10.0.0.1-10.0.0.9', '//', '/*', '*/'],
  ...['{', '}', '[', ']', ',', ':', '"', '\\u0000', '\ufeff', '\r\n', '\u2028', '__proto__', 'constructor'],
].map(encode)

export const policyTargets: readonly Target[] = [
  { name: 'policy', seeds: [encode(small), encode(large)], words, run: readPolicy },
  { name: 'netmap', seeds: [encode(netmap)], words, run: readNetmap },
]
