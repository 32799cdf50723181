import type { Command } from 'commander'
import type { Finish } from './main.js'
import { addWhoOptions, type WhoFlags, whoOptions } from './policy-who.js'

interface CheckFlags extends WhoFlags {
  readonly json?: true
}

/** `tunless policy check`: is it a policy, and what of it holds here? */
export function addPolicyCheck(policy: Command, finish: Finish): void {
  addWhoOptions(
    policy
      .command('check')
      .description('say what is wrong with policy files, has no effect or cannot be evaluated here')
      .argument('<file...>', 'policy files; - is stdin'),
  )
    .option('--json', 'print what was found as JSON')
    .addHelpText(
      'after',
      `
Messages are lines on stderr, FILE:LINE:COLUMN: error: … or warning: …
Exit codes: 0 no errors, 2 errors

Example:
  tunless policy check --netmap netmap.json policy.hujson`,
    )
    .action(async (files: string[], flags: CheckFlags) => {
      const { checkPolicy } = await import('../app/policy/check.js')
      finish(await checkPolicy({ ...whoOptions(flags), files, json: flags.json === true }))
    })
}
