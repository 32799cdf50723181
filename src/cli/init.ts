import type { Command } from 'commander'
import { readEndpoint } from './arguments.js'
import type { Finish } from './main.js'

interface InitFlags {
  readonly endpoint: { host: string; port: number }
  readonly dir?: string
}

/** `tunless init`: a pair of configurations with new keys. */
export function addInit(program: Command, finish: Finish): void {
  program
    .command('init')
    .description(
      'print a pair of configurations with new keys: one for the gateway (wg-quick loads it), one for the runner',
    )
    .requiredOption('--endpoint <host:port>', 'where the runner reaches the gateway', readEndpoint)
    .option('--dir <directory>', 'write them there as gateway.conf and runner.conf instead, readable by you alone')
    .action(async ({ endpoint, dir }: InitFlags) => {
      const { init } = await import('../app/init.js')
      await init({ endpoint, ...(dir !== undefined && { directory: dir }) })
      finish(0)
    })
}
