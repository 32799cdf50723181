// Options that several commands share.
import { type Command, Option } from 'commander'
import type { ConfOptions } from '../app/conf.js'
import type { LogLevel } from '../app/log.js'
import type { OpenOptions } from '../app/open-options.js'
import { readDuration } from './arguments.js'
import { addPolicyOptions, type PolicyFlags, policyOptions } from './policy-options.js'

/** As commander hands them over. */
export interface TunnelFlags extends PolicyFlags {
  readonly config?: string
  readonly privateKeyFile?: string
  readonly 4?: true
  readonly 6?: true
  readonly congestion?: NonNullable<OpenOptions['congestion']>
  readonly timeout: number
  readonly verbose?: true
  readonly quiet?: true
}

const congestionControls = ['bbr', 'cubic'] satisfies OpenOptions['congestion'][]

/** Defines the options of a command that opens a tunnel. */
export function addTunnelOptions(command: Command): Command {
  return addPolicyOptions(
    command
      .option(
        '-c, --config <file>',
        'configuration in the format of wg-quick; - reads it from stdin (default: $TUNLESS_CONFIG)',
      )
      .option(
        '--private-key-file <file>',
        'private key for a configuration without one (default: $TUNLESS_PRIVATE_KEY)',
      ),
  )
    .addOption(new Option('-4', 'reach endpoints over IPv4 only').conflicts('6'))
    .addOption(new Option('-6', 'reach endpoints over IPv6 only').conflicts('4'))
    .addOption(
      new Option('--congestion <name>', 'how TCP judges what a path carries (default: bbr)').choices(
        congestionControls,
      ),
    )
    .addOption(
      new Option(
        '--timeout <time>',
        'for the first handshake, and apart for each dial: seconds, or 500ms, 2m; 0 waits without end',
      )
        .argParser(readDuration)
        .default(20_000, '20'),
    )
    .addOption(logOption())
    .addOption(new Option('-v, --verbose', 'say more').conflicts('quiet'))
    .addOption(new Option('-q, --quiet', 'say nothing but errors').conflicts('verbose'))
    .passThroughOptions()
}

/** Read by every command's hook, see main.ts. */
export function logOption(): Option {
  return new Option('--log <format>', 'diagnostics on stderr as text or as JSON, a line each (default: text)').choices([
    'text',
    'json',
  ])
}

export function tunnelOptions(flags: TunnelFlags): ConfOptions & OpenOptions & { timeout: number } {
  const family = flags[4] ? 4 : flags[6] ? 6 : undefined
  return {
    ...(flags.config !== undefined && { file: flags.config }),
    ...(flags.privateKeyFile !== undefined && { privateKeyFile: flags.privateKeyFile }),
    ...(family !== undefined && { family }),
    ...(flags.congestion !== undefined && { congestion: flags.congestion }),
    ...policyOptions(flags),
    timeout: flags.timeout,
  }
}

export function logLevel(flags: { verbose?: true; quiet?: true }): LogLevel {
  return flags.quiet ? 'quiet' : flags.verbose ? 'verbose' : 'normal'
}
