// A policy of 10,000 rules over 10,000 nodes: what a decision costs, how many there are in a second, and how long a reload
// takes, from the text to tables. Decisions are compared with the rules asked one by one.
import { type CompiledPolicy, compilePolicy } from '../../core/policy/compile.js'
import { parsePolicy } from '../../core/policy/policy.js'
import { createPolicyWorld, firstRule, type World } from './policy-world.js'
import type { Suite } from './report.js'
import { type Expect, type Task, timeTasks } from './tasks.js'

const nodeCount = 10_000
const ruleCount = 10_000
const flowCount = 65_536
/** Of the flows, those that are compared: each asks up to all rules. */
const comparedCount = 1024
/** Decisions in one run. */
const batch = 4096
const tcp = 6

export const policySuite: Suite = {
  name: 'policy',
  async run(recorder) {
    // Decisions in a second are the inverse of a decision's time, and come of its rounds.
    const wants = (id: string) =>
      recorder.wants(id) || (id === 'policy/decide/tunless' && recorder.wants('policy/decisions/tunless'))
    const rounds = await timeTasks(policyTasks(), {
      effort: recorder.effort,
      wants,
      add: (...figure) => recorder.add(...figure),
      skip: (...what) => recorder.skip(...what),
      checked: count => recorder.checked(count),
      say: what => recorder.say(what),
    })
    const decide = rounds.get('policy/decide/tunless')
    if (decide !== undefined)
      recorder.add(
        'policy/decisions/tunless',
        decide.map(us => 1_000_000 / us),
        '1/s',
        'higher',
      )
  },
}

/** The sizes are arguments for tests: figures are of the defaults. */
export function policyTasks(nodes = nodeCount, rules = ruleCount, flows = flowCount): Task[] {
  let made: { world: World; policy: CompiledPolicy; asked: Asked } | undefined
  const get = () => {
    if (made !== undefined) return made
    const world = createPolicyWorld(nodes, rules, flows)
    made = { world, policy: compile(world), asked: lineUp(world) }
    // An address that was never met costs more, once: its row is made then.
    for (let i = 0; i < flows; i++) decideAt(made.policy, made.asked, i)
    return made
  }
  let at = 0
  const decide = () => {
    const { policy, asked } = get()
    const before = process.cpuUsage()
    let allowed = 0
    for (let i = 0; i < batch; i++) {
      if (decideAt(policy, asked, at) >= 0) allowed++
      at = at + 1 === flows ? 0 : at + 1
    }
    const { user, system } = process.cpuUsage(before)
    if (allowed === 0 || allowed === batch) throw new Error('all decisions are the same')
    return (user + system) / 1000
  }
  const check = (expect: Expect) => {
    const { world, policy, asked } = get()
    for (const [i, flow] of world.flows.slice(0, comparedCount).entries())
      expect(`the rule that allows flow ${i}`, decideAt(policy, asked, i), firstRule(world, flow))
  }
  return [
    { id: 'policy/decide/tunless', operations: batch, check, run: decide },
    {
      id: 'policy/reload/tunless',
      operations: 1,
      unit: 'ms',
      check,
      run() {
        compile(get().world)
        return undefined
      },
    },
  ]
}

/** Flows in a row, as the time is the policy's and not that of finding out what to ask. */
interface Asked {
  /** Addresses, 4 bytes each. */
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly ports: Uint16Array
  /** The two addresses of the flow that is asked for, as they are in a packet. */
  readonly source: Uint8Array
  readonly destination: Uint8Array
}

function lineUp({ flows, netmap }: World): Asked {
  const addresses = (nodes: readonly number[]) =>
    Uint8Array.from(nodes.flatMap(node => [...(netmap.nodes[node]?.addresses[0] ?? [])]))
  return {
    from: addresses(flows.map(({ from }) => from)),
    to: addresses(flows.map(({ to }) => to)),
    ports: Uint16Array.from(flows, ({ port }) => port),
    source: new Uint8Array(4),
    destination: new Uint8Array(4),
  }
}

function decideAt(policy: CompiledPolicy, { from, to, ports, source, destination }: Asked, i: number): number {
  for (let byte = 0; byte < 4; byte++) {
    source[byte] = from[i * 4 + byte] as number
    destination[byte] = to[i * 4 + byte] as number
  }
  return policy.decide(source, destination, tcp, ports[i] as number)
}

function compile({ text, netmap }: World): CompiledPolicy {
  return compilePolicy(parsePolicy(text), netmap)
}
