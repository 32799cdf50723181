import { type Command, Option } from 'commander'
import { readDuration } from './arguments.js'
import type { Finish } from './main.js'
import { logLevel } from './options.js'

interface DownFlags {
  readonly config?: string
  readonly privateKeyFile?: string
  readonly timeout: number
  readonly verbose?: true
  readonly quiet?: true
}

/** `tunless down`: ends what `up` keeps. */
export function addDown(program: Command, finish: Finish): void {
  program
    .command('down')
    .description('end the running `tunless up` of a configuration, or the only one, and wait until it has ended')
    .option('-c, --config <file>', 'its configuration; - reads it from stdin (default: $TUNLESS_CONFIG)')
    .option('--private-key-file <file>', 'private key for a configuration without one (default: $TUNLESS_PRIVATE_KEY)')
    .addOption(
      new Option('--timeout <time>', 'for its process to end: seconds, or 500ms, 2m; 0 waits without end')
        .argParser(readDuration)
        .default(10_000, '10'),
    )
    .addOption(new Option('-v, --verbose', 'say more').conflicts('quiet'))
    .addOption(new Option('-q, --quiet', 'say nothing but errors').conflicts('verbose'))
    .action(async (flags: DownFlags) => {
      const { down } = await import('../app/down.js')
      const { config, privateKeyFile, timeout } = flags
      await down({
        ...(config !== undefined && { file: config }),
        ...(privateKeyFile !== undefined && { privateKeyFile }),
        timeout,
        level: logLevel(flags),
      })
      finish(0)
    })
}
