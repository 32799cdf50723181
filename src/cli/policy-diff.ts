import type { Command } from 'commander'
import type { Finish } from './main.js'
import { addWhoOptions, type WhoFlags, whoOptions } from './policy-who.js'

interface DiffFlags extends WhoFlags {
  readonly exitCode?: true
  readonly json?: true
}

/** `tunless policy diff`: who gains and who loses what. */
export function addPolicyDiff(policy: Command, finish: Finish): void {
  addWhoOptions(
    policy
      .command('diff')
      .description('say who gains and loses what between two policy files, in Markdown')
      .argument('<old>', 'the policy file before; - is stdin')
      .argument('<new>', 'and after'),
  )
    .option('--exit-code', 'exit with 1 if there is a difference')
    .option('--json', 'print the difference as JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 with --exit-code: a difference, 2 a file cannot be used

Example:
  git show origin/main:policy.hujson | tunless policy diff - policy.hujson`,
    )
    .action(async (before: string, after: string, flags: DiffFlags) => {
      const { diffPolicyFiles } = await import('../app/policy/diff.js')
      const { exitCode, json } = flags
      finish(
        await diffPolicyFiles({
          ...whoOptions(flags),
          before,
          after,
          exitCode: exitCode === true,
          json: json === true,
        }),
      )
    })
}
