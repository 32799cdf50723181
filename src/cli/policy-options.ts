// --policy, --netmap and --policy-mode, for every command that opens a tunnel.
import { type Command, Option } from 'commander'
import type { OpenOptions } from '../app/open-options.js'

/** As commander hands them over. */
export interface PolicyFlags {
  readonly policy?: string
  readonly netmap?: string
  readonly policyMode?: 'enforce' | 'report'
}

export function addPolicyOptions(command: Command): Command {
  return command
    .option('--policy <file>', 'who may reach whom, by tags and rules: what the policy file does not allow is refused')
    .option('--netmap <file>', 'who is who: names, tags and addresses as JSON (default: those of the configuration)')
    .addOption(
      new Option('--policy-mode <mode>', 'enforce, or only report what would be refused (default: enforce)').choices([
        'enforce',
        'report',
      ]),
    )
}

export function policyOptions({
  policy,
  netmap,
  policyMode,
}: PolicyFlags): Pick<OpenOptions, 'policy' | 'netmap' | 'policyMode'> {
  return {
    ...(policy !== undefined && { policy }),
    ...(netmap !== undefined && { netmap }),
    ...(policyMode !== undefined && { policyMode }),
  }
}
