// Which rule lets a source reach a destination, asked by selector.
import { ask } from './ask.js'
import type { RuleReference } from './compile.js'
import { Diagnostics, printable } from './diagnostics.js'
import type { Reading } from './fields.js'
import { portProblem, testSelector } from './file-tests.js'
import type { Netmap } from './netmap.js'
import { parseProtocol, protocolChoice, protocolName } from './ports.js'
import { byAddress, type Party, perhaps, Reach, yes } from './reach.js'
import { splitPorts } from './rules.js'
import { Suggester } from './suggest.js'
import type { PolicyDocument } from './types.js'

export interface Explanation {
  readonly outcome: 'allowed' | 'denied' | 'undecided' | 'invalid'
  /** The rules that allow it; where undecided, those that it depends on. In the order of the file. */
  readonly rules: readonly RuleReference[]
  /** A sentence: why, or what is wrong with the question. */
  readonly why: string
}

/**
 * `source` is a user, group, tag, host or address, or with a netmap the name of a node; `destination` the same with `:PORT`.
 * `protocol` is a name or number as in the file; without it TCP or UDP suffices.
 */
export function explain(
  document: PolicyDocument,
  netmap: Netmap | undefined,
  source: string,
  destination: string,
  protocol?: string,
): Explanation {
  const reach = new Reach(document, netmap)
  const number = protocol === undefined ? undefined : parseProtocol(protocol)
  if (protocol !== undefined && number === undefined)
    return invalid(`"${protocol}" is no protocol: write ${protocolChoice}`)
  const split = splitPorts(destination)
  if (typeof split === 'string') return invalid(`"${destination}" ${split}`)
  const problem = portProblem(split.ports, number)
  if (problem !== undefined) return invalid(`"${destination}" ${problem}`)
  const [from, to] = [partiesOf(reach, source), partiesOf(reach, split.host)]
  if (typeof from === 'string') return invalid(from)
  if (typeof to === 'string') return invalid(to)
  const answer = ask(reach, from, to, number, Number(split.ports))
  if (answer === undefined) return invalid(`${from.length === 0 ? source : split.host} has no members`)
  const verdict = answer.all
  const rules = verdict.rules.map(index => referenceTo(document, index))
  const what = `${number === undefined ? 'TCP or UDP' : protocolName(number)} from ${verdict.from} to ${verdict.to}`
  if (verdict.level === yes) return { outcome: 'allowed', rules, why: `${lines(rules)} allows ${what}` }
  if (verdict.level === perhaps) {
    return { outcome: 'undecided', rules, why: `${what} depends on ${lines(rules)}, which cannot be evaluated here` }
  }
  const some = answer.any.level === yes ? `, though ${answer.any.from} may reach ${answer.any.to}` : ''
  const named =
    verdict.level === byAddress ? `; ${lines(rules)} names addresses, and only a netmap says whose they are` : ''
  return { outcome: 'denied', rules: [], why: `no rule allows ${what}${some}${named}` }
}

function invalid(why: string): Explanation {
  return { outcome: 'invalid', rules: [], why: printable(why) }
}

function referenceTo(document: PolicyDocument, index: number): RuleReference {
  const { place, text } = document.rules[index] as PolicyDocument['rules'][number]
  return { line: place.line, column: place.column, text }
}

function lines(rules: readonly RuleReference[]): string {
  const [first, more] = rules
  return `the rule at line ${first?.line}${more === undefined ? '' : ` and ${rules.length - 1} more`}`
}

/** Who is meant, or what is wrong. A node's name goes before a host's: the netmap knows more of it. */
function partiesOf(reach: Reach, text: string): Party[] | string {
  const { document, netmap } = reach
  const suffix = netmap?.domain === undefined ? undefined : `.${netmap.domain}`
  const name = suffix !== undefined && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text
  const node = netmap?.nodes.find(each => each.name.toLowerCase() === name.toLowerCase())
  if (node !== undefined) return [reach.nodeParty(node)]
  const diagnostics = new Diagnostics()
  const reading: Reading = { diagnostics, suggest: new Suggester() }
  const selector = testSelector({ text, place: { line: 1, column: 1 } }, document, reading)
  if (selector.value === undefined)
    return diagnostics.list()[0]?.message ?? selector.problem ?? `"${text}" is not defined`
  return reach.parties(selector.value, text) ?? `${text} is a synced group, and only a netmap could say who is in it`
}
