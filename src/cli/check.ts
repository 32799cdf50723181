import type { Command } from 'commander'
import { type Listen, readEndpoint } from './arguments.js'
import type { Finish } from './main.js'
import { addTunnelOptions, logLevel, type TunnelFlags, tunnelOptions } from './options.js'

interface CheckFlags extends TunnelFlags {
  readonly json?: true
  readonly network: boolean
}

/** `tunless check`: what works between here and the targets, and what does not, and why. */
export function addCheck(program: Command, finish: Finish): void {
  addTunnelOptions(
    program.command('check').description('look at everything between here and the targets, and say what is wrong'),
  )
    .argument('[host:port...]', 'targets that should accept connections', (text, previous: Listen[] = []) => [
      ...previous,
      readEndpoint(text),
    ])
    .option('--json', 'print the findings as JSON')
    .option('--no-network', 'look at the configuration alone')
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing failed, 1 something did, 2 the configuration or the command line cannot be used

Example:
  tunless check -c deploy.conf web1:22 db.internal:5432`,
    )
    .action(async (targets: Listen[] | undefined, flags: CheckFlags) => {
      const { check } = await import('../app/check/check.js')
      const { json = false, network } = flags
      finish(await check({ ...tunnelOptions(flags), level: logLevel(flags), targets: targets ?? [], json, network }))
    })
}
