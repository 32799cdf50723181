// --netmap and -c, for the commands of `tunless policy` that can look at real nodes.
import type { Command } from 'commander'
import type { WhoOptions } from '../app/policy/files.js'

/** As commander hands them over. */
export interface WhoFlags {
  readonly netmap?: string
  readonly config?: string
}

/** --netmap and -c: TUNLESS_CONFIG is not looked at, as a result must not depend on where it is asked for. */
export function addWhoOptions(command: Command): Command {
  return command
    .option('--netmap <file>', 'who is who: real nodes are looked at, too')
    .option('-c, --config <file>', 'a configuration, whose peers are the netmap where there is no --netmap')
}

export function whoOptions({ netmap, config }: WhoFlags): WhoOptions {
  return { ...(netmap !== undefined && { netmap }), ...(config !== undefined && { config }) }
}
