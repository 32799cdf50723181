// `tunless policy suggest`: reads connection logs, those of `--policy-mode report` above all, and prints the rules that would allow
// what was refused, as HuJSON to paste. Whether it should be allowed is for a person to say.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { formatAddress } from '../../core/base/address.js'
import { explain } from '../../core/policy/explain.js'
import { prefixesOf } from '../../core/policy/ranges.js'
import type { PolicyDocument } from '../../core/policy/types.js'
import { TunnelError } from '../../errors.js'
import { formatTarget } from '../../proxy/dialer.js'
import { print } from '../print.js'
import { mustBeUsable } from './explain.js'
import { Files } from './files.js'
import { countOf, plain } from './messages.js'
import { mostFlows, type RefusedFlow, RefusedFlows, type Skipped } from './refused-flows.js'
import { type SuggestedRule, suggestRules } from './suggestions.js'

export interface PolicySuggestOptions {
  readonly logs: readonly string[]
  /** A policy as it is now: what it allows is not suggested again. */
  readonly policy?: string
  readonly json: boolean
}

/** Rejects with LOG_FAILED, POLICY_UNREADABLE or POLICY_INVALID. */
export async function suggestPolicy({ logs, policy, json }: PolicySuggestOptions): Promise<0> {
  const files = new Files()
  const known = policy === undefined ? undefined : await files.policy(policy)
  mustBeUsable(known === undefined ? [] : [known], undefined)
  const refused = new RefusedFlows()
  for (const log of logs) await readLog(log, files, refused)
  const all = [...refused.flows.values()]
  const isAllowed = known === undefined ? () => false : allowedBy(known.document)
  const left = all.filter(flow => !isAllowed(flow))
  const rules = suggestRules(left, known === undefined ? undefined : hostNames(known.document))
  tellSkipped(refused.skipped, all.length - left.length)
  print(json ? `${JSON.stringify({ grants: rules }, null, 2)}\n` : formatRules(rules))
  return 0
}

async function readLog(path: string, files: Files, refused: RefusedFlows): Promise<void> {
  if (path === '-') files.takeStdin()
  const input: Readable = path === '-' ? process.stdin : createReadStream(path)
  try {
    const failed = new Promise<never>((_, reject) => input.once('error', reject))
    failed.catch(() => {})
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
    await Promise.race([readLines(lines, refused), failed])
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : message
    throw new TunnelError('LOG_FAILED', `cannot read the connection log ${path}: ${reason}`, { cause })
  }
}

async function readLines(lines: AsyncIterable<string>, refused: RefusedFlows): Promise<void> {
  for await (const line of lines) refused.add(line)
}

/** By name: with the tags that the log gives, a rule for any of them will do. */
function allowedBy(document: PolicyDocument): (flow: RefusedFlow) => boolean {
  const asked = new Map<string, boolean>()
  const mayReach = (from: string, to: string, protocol: string) => {
    const key = JSON.stringify([from, to, protocol])
    const known = asked.get(key) ?? explain(document, undefined, from, to, protocol).outcome === 'allowed'
    asked.set(key, known)
    return known
  }
  const namesOf = ({ tags, user, address }: RefusedFlow['source']) => [
    ...(tags.length > 0 ? tags : user === undefined ? [] : [user]),
    address,
  ]
  return ({ source, destination, protocol, port }) => {
    const wanted = protocol === 'ipv6-icmp' ? 'icmp' : protocol
    const targets = namesOf(destination).map(to => formatTo(to, port))
    return namesOf(source).some(from => targets.some(to => mayReach(from, to, wanted)))
  }
}

function formatTo(selector: string, port: number): string {
  return selector.includes(':') && !/^[a-z]+:[^:]*$|@/.test(selector)
    ? formatTarget({ host: selector, port })
    : `${selector}:${port}`
}

/** Hosts that are one address. */
function hostNames({ hosts }: PolicyDocument): (address: string) => string | undefined {
  const names = new Map<string, string>()
  for (const [name, ranges] of hosts) {
    const [range, more] = ranges
    if (range === undefined || more !== undefined || range.first !== range.last) continue
    for (const { address } of prefixesOf(range)) names.set(formatAddress(address), name)
  }
  return address => names.get(address)
}

function tellSkipped({ otherRefusals, otherEntries, unreadable, tooMany }: Skipped, allowed: number): void {
  const say = (count: number, what: string, why: string) => {
    if (count > 0) process.stderr.write(`${countOf(count, what)} ${why}\n`)
  }
  say(allowed, 'refused flow', 'left out: the policy allows it by now')
  say(otherRefusals, 'refusal', 'left out: for its source address or an expired node, and no rule would change that')
  say(unreadable, 'line', 'left out: no entry of a connection log')
  say(tooMany, 'refused flow', `left out: more than ${mostFlows} different ones`)
  if (otherEntries > 0 && otherRefusals + allowed === 0)
    say(otherEntries, 'entry', 'left out: of connections, not of a policy')
}

function formatRules(rules: readonly SuggestedRule[]): string {
  if (rules.length === 0) return '// Nothing was refused for want of a rule.\n{ "grants": [] }\n'
  const total = rules.reduce((sum, { count }) => sum + count, 0)
  const lines = rules.flatMap(({ src, dst, ip, count, last, seen }) => [
    `    // ${countOf(count, 'refusal')}${last === '' ? '' : `, the last at ${last}`}: ${plain(seen.join(', '))}`,
    `    { "src": ${list(src)}, "dst": ${list(dst)}, "ip": ${list(ip)} },`,
  ])
  return `// ${countOf(total, 'refusal')} in ${countOf(rules.length, 'rule')}: read each before you paste it.
{
  "grants": [
${lines.join('\n')}
  ],
}
`
}

function list(texts: readonly string[]): string {
  return `[${texts.map(text => JSON.stringify(plain(text))).join(', ')}]`
}
