import type { Command } from 'commander'
import type { Finish } from './main.js'
import { addWhoOptions, type WhoFlags, whoOptions } from './policy-who.js'

interface ExplainFlags extends WhoFlags {
  readonly src: string
  readonly dst: string
  readonly proto?: string
  readonly json?: true
}

/** `tunless policy explain`: which line allows it. */
export function addPolicyExplain(policy: Command, finish: Finish): void {
  addWhoOptions(
    policy
      .command('explain')
      .description('say which rules let a source reach a destination, or that none does')
      .argument('<file>', 'the policy file; - is stdin')
      .requiredOption('--src <selector>', 'a user, group, tag, host, address or, with a netmap, the name of a node')
      .requiredOption('--dst <selector:port>', 'the same with a port; 0 for protocols without ports')
      .option('--proto <protocol>', 'tcp, udp, icmp … or a number (default: TCP or UDP)'),
  )
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 allowed, 1 denied, 2 undecided, or the policy or the question cannot be used

Example:
  tunless policy explain --src tag:ci --dst tag:web:22 policy.hujson`,
    )
    .action(async (file: string, flags: ExplainFlags) => {
      const { explainPolicy } = await import('../app/policy/explain.js')
      const { src: source, dst: destination, proto, json } = flags
      const question = { source, destination, ...(proto !== undefined && { protocol: proto }) }
      finish(await explainPolicy({ ...whoOptions(flags), ...question, file, json: json === true }))
    })
}
