import type { Command } from 'commander'
import type { Finish } from './main.js'

interface SuggestFlags {
  readonly policy?: string
  readonly json?: true
}

/** `tunless policy suggest`: from what was refused to rules. */
export function addPolicySuggest(policy: Command, finish: Finish): void {
  policy
    .command('suggest')
    .description('print rules that would allow what connection logs say was refused')
    .argument('<log...>', 'files of --connection-log, with --policy-mode report above all; - is stdin')
    .option('--policy <file>', 'leave out what this policy allows by now, and use the names of its hosts')
    .option('--json', 'print the rules as JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 a log cannot be read, 2 the policy cannot be used

Example:
  tunless policy suggest --policy policy.hujson /var/log/tunless.jsonl`,
    )
    .action(async (logs: string[], { policy: file, json }: SuggestFlags) => {
      const { suggestPolicy } = await import('../app/policy/suggest.js')
      finish(await suggestPolicy({ logs, json: json === true, ...(file !== undefined && { policy: file }) }))
    })
}
