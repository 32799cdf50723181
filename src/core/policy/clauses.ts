// Rules taken apart for compiling: a clause is sources, destinations and ports, of one rule; a rule that cannot be evaluated
// with this netmap has none.
import type { Diagnostic } from './diagnostics.js'
import type { Netmap } from './netmap.js'
import type { PolicyDocument, PolicyRule, PortRange, Selector, SelectorValue } from './types.js'

export interface Clause {
  /** Index in the document's rules. */
  readonly rule: number
  readonly sources: readonly Selector[]
  readonly destinations: readonly Selector[]
  readonly ports: readonly PortRange[]
  /** Its only destination is autogroup:self: it holds where source and destination have the same user. */
  readonly self: boolean
}

/**
 * Those with the same first source stand together, else in the order of the rules: what a source matches is then in few
 * words of its row, and decisions were half as long for it.
 */
export function clausesOf(document: PolicyDocument, netmap: Netmap): Clause[] {
  const numbers = new Map<string, number>()
  const numberOf = ({ sources: [first] }: Clause) => {
    const text = first?.text ?? ''
    const number = numbers.get(text) ?? numbers.size
    numbers.set(text, number)
    return number
  }
  const clauses = inOrder(document, netmap).map(clause => ({ clause, number: numberOf(clause) }))
  return clauses.sort((a, b) => a.number - b.number).map(({ clause }) => clause)
}

function inOrder(document: PolicyDocument, netmap: Netmap): Clause[] {
  return document.rules.flatMap((rule, index) => {
    if (!isEvaluated(rule, netmap)) return []
    return rule.targets.flatMap(({ destinations, ports }) => {
      const clause = { rule: index, sources: rule.sources, ports }
      const own = destinations.filter(({ value }) => value.kind === 'self')
      const others = destinations.filter(({ value }) => value.kind !== 'self')
      return [
        ...(others.length > 0 ? [{ ...clause, destinations: others, self: false }] : []),
        ...(own.length > 0 ? [{ ...clause, destinations: own.slice(0, 1), self: true }] : []),
      ]
    })
  })
}

/** False: one of its parts cannot be evaluated, so it grants nothing. */
export function isEvaluated(rule: PolicyRule, netmap: Netmap | undefined): boolean {
  if (rule.unevaluated !== undefined) return false
  return (
    rule.sources.every(({ value }) => isGiven(value, netmap)) &&
    rule.targets.every(target => target.destinations.every(({ value }) => isGiven(value, netmap)))
  )
}

/** What is to be said of a policy beside a netmap: what only a netmap could say is settled where this one says it. */
export function diagnosticsUnder(document: PolicyDocument, netmap: Netmap | undefined): readonly Diagnostic[] {
  const given = new Set<string>()
  for (const { sources, targets } of document.rules) {
    for (const { value, place } of [...sources, ...targets.flatMap(({ destinations }) => destinations)])
      if (isGiven(value, netmap)) given.add(`${place.line}:${place.column}`)
  }
  return document.diagnostics.filter(
    ({ code, line, column }) => code !== 'needs-netmap' || !given.has(`${line}:${column}`),
  )
}

/** Whether the netmap, where there is one, gives the role or the synced group. Others need no netmap. */
export function isGiven(value: SelectorValue, netmap: Netmap | undefined): boolean {
  if (value.kind === 'role') return netmap?.nodes.some(({ roles }) => roles !== undefined) ?? false
  if (value.kind === 'group' && value.synced)
    return netmap?.groups !== undefined && Object.hasOwn(netmap.groups, value.name)
  return true
}

export function membersOfGroup(
  { name, synced }: Extract<SelectorValue, { kind: 'group' }>,
  document: PolicyDocument,
  netmap: Netmap | undefined,
): readonly string[] | undefined {
  if (!synced) return document.groups.get(name)
  return netmap?.groups !== undefined && Object.hasOwn(netmap.groups, name) ? netmap.groups[name] : undefined
}
