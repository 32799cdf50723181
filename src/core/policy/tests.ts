// The policy file's own tests: decided by its selectors alone, and with a netmap by its real nodes too.
import { ask, type PairVerdict } from './ask.js'
import { type Place, printable } from './diagnostics.js'
import type { Netmap } from './netmap.js'
import { protocolName } from './ports.js'
import { byAddress, perhaps, Reach, yes } from './reach.js'
import type { PolicyDocument, PolicyTest, TestDestination } from './types.js'

/** Undecided: the answer could depend on a rule that cannot be evaluated here. Not run: an entry of sshTests. */
export type PolicyTestOutcome = 'passed' | 'failed' | 'undecided' | 'not-run'

export interface PolicyTestResult extends Place {
  /** `tests[0] from tag:ci` */
  readonly name: string
  readonly outcome: PolicyTestOutcome
  /** Why it failed or is undecided, a sentence each; notes on a passed one. */
  readonly reasons: readonly string[]
}

/** One result for each entry of `tests`, then one for each of `sshTests`. */
export function runPolicyTests(document: PolicyDocument, netmap?: Netmap): PolicyTestResult[] {
  const reach = new Reach(document, netmap)
  return [
    ...document.tests.map((test, i) => runTest(reach, test, `tests[${i}]`)),
    ...document.sshTests.map((place, i): PolicyTestResult => {
      const reasons = ['there is no SSH server of the network’s own here, so sshTests are not run']
      return { ...place, name: `sshTests[${i}]`, outcome: 'not-run', reasons }
    }),
  ]
}

function runTest(reach: Reach, test: PolicyTest, number: string): PolicyTestResult {
  const failed: string[] = [...test.problems]
  const undecided: string[] = []
  const notes = new Set<string>()
  for (const [verb, destinations] of [
    ['accept', test.accept],
    ['deny', test.deny],
  ] as const)
    for (const destination of destinations) runOne(reach, test, verb, destination, { failed, undecided, notes })
  const name = test.source.text === '' ? number : `${number} from ${test.source.text}`
  const outcome = failed.length > 0 ? 'failed' : undecided.length > 0 ? 'undecided' : 'passed'
  return {
    line: test.place.line,
    column: test.place.column,
    name: printable(name),
    outcome,
    reasons: [...failed, ...undecided, ...notes].map(printable),
  }
}

interface Findings {
  readonly failed: string[]
  readonly undecided: string[]
  readonly notes: Set<string>
}

function runOne(
  reach: Reach,
  { source, protocol }: PolicyTest,
  verb: 'accept' | 'deny',
  destination: TestDestination,
  { failed, undecided, notes }: Findings,
): void {
  const what = `${verb} ${destination.text}`
  if (destination.problem !== undefined) failed.push(`${what}: ${destination.problem}`)
  if (source.value === undefined || destination.value === undefined) return
  const from = reach.parties(source.value, source.text)
  const to = reach.parties(destination.value, destination.text)
  if (from === undefined || to === undefined) {
    const synced = from === undefined ? source.text : destination.text
    undecided.push(`${what}: ${synced} is a synced group, and only a netmap could say who is in it`)
    return
  }
  const answer = ask(reach, from, to, protocol, destination.port)
  if (answer === undefined) {
    failed.push(`${what}: ${from.length === 0 ? source.text : destination.text} has no members, so nothing was tested`)
    return
  }
  const verdict = verb === 'accept' ? answer.all : answer.any
  const pair = `${verdict.from} to ${verdict.to}`
  const wanted = protocol === undefined ? 'TCP or UDP' : protocolName(protocol)
  if (verdict.level === perhaps)
    undecided.push(`${what}: ${pair} depends on ${linesOf(reach, verdict)}, which cannot be evaluated here`)
  else if (verb === 'accept' && verdict.level !== yes) failed.push(`${what}: no rule allows ${wanted} from ${pair}`)
  else if (verb === 'deny' && verdict.level === yes) failed.push(`${what}: ${linesOf(reach, verdict)} allows ${pair}`)
  if (answer.any.level === byAddress) {
    const needed = reach.netmap === undefined ? ' (a netmap says which addresses nodes have)' : ''
    notes.add(`${what}: taken by name; ${linesOf(reach, answer.any)} names addresses that could be these${needed}`)
  }
}

function linesOf({ document }: Reach, { rules }: PairVerdict): string {
  const lines = [...new Set(rules.map(index => document.rules[index]?.place.line ?? 0))]
  const shown = lines.slice(0, 5).join(', ') + (lines.length > 5 ? ' …' : '')
  return lines.length === 1 ? `the rule at line ${shown}` : `a rule at lines ${shown}`
}
