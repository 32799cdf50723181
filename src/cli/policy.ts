import type { Command } from 'commander'
import type { Finish } from './main.js'
import { addPolicyCheck } from './policy-check.js'
import { addPolicyDiff } from './policy-diff.js'
import { addPolicyExplain } from './policy-explain.js'
import { addPolicySuggest } from './policy-suggest.js'
import { addPolicyTest } from './policy-test.js'

/** `tunless policy`: works on policy files; none of it opens a tunnel. */
export function addPolicy(program: Command, finish: Finish): void {
  const policy = program
    .command('policy')
    .description('check, test, explain and compare policy files')
    .helpCommand(false)
  for (const add of [addPolicyCheck, addPolicyTest, addPolicyExplain, addPolicyDiff, addPolicySuggest])
    add(policy, finish)
}
