import { type Command, InvalidArgumentError, Option } from 'commander'
import { readCount, readDuration, readHost } from './arguments.js'
import type { Finish } from './main.js'
import { logOption } from './options.js'
import { addPolicyOptions, type PolicyFlags, policyOptions } from './policy-options.js'

interface PingFlags extends PolicyFlags {
  readonly config?: { readonly file?: string; readonly count?: number }
  readonly count?: number
  readonly privateKeyFile?: string
  readonly i: number
  readonly W: number
  readonly s: number
  readonly 4?: true
  readonly 6?: true
  readonly timeout: number
  readonly quiet?: true
  readonly verbose?: true
}

/** `tunless ping`: as ping(8) of iputils. */
export function addPing(program: Command, finish: Finish): void {
  const command = program
    .command('ping')
    .description('send echo requests through the tunnel, as ping(8) does')
    .argument('<host>', 'a name that the tunnel knows, or an address', readHost)
    .addOption(
      new Option('-c, --config <count|file>', 'a number: stop after so many; else the configuration').argParser(readC),
    )
    .addOption(new Option('--count <n>', 'stop after so many').argParser(readCount))
    .option('--private-key-file <file>', 'private key for a configuration without one (default: $TUNLESS_PRIVATE_KEY)')
  addPolicyOptions(command)
    .addOption(new Option('-i <time>', 'between two requests: seconds').argParser(readInterval).default(1000, '1'))
    .addOption(new Option('-W <time>', 'for each answer: seconds').argParser(readWait).default(10_000, '10'))
    .addOption(new Option('-s <size>', 'bytes of payload').argParser(readSize).default(56))
    .addOption(new Option('-4', 'the IPv4 address of the host').conflicts('6'))
    .addOption(new Option('-6', 'the IPv6 address of the host').conflicts('4'))
    .addOption(
      new Option('--timeout <time>', 'for the handshake: seconds, or 500ms, 2m; 0 waits without end')
        .argParser(readDuration)
        .default(20_000, '20'),
    )
    .addOption(logOption())
    .addOption(new Option('-q, --quiet', 'only the first and the last lines').conflicts('verbose'))
    .addOption(new Option('-v, --verbose', 'say more').conflicts('quiet'))
    .addHelpText(
      'after',
      '\nExit codes: 0 an answer came, 1 none did, 2 everything else\n\nExample:\n  tunless ping -c deploy.conf -c 3 web1',
    )
    .action(async (host: string, flags: PingFlags) => {
      const { pingHost } = await import('../app/ping.js')
      const { config = {}, privateKeyFile, i: interval, W: wait, s: size, timeout, quiet } = flags
      const count = flags.count ?? config.count
      const family = flags[4] ? 4 : flags[6] ? 6 : undefined
      const code = await pingHost({
        ...(config.file !== undefined && { file: config.file }),
        ...(privateKeyFile !== undefined && { privateKeyFile }),
        ...policyOptions(flags),
        ...(count !== undefined && { count }),
        ...(family !== undefined && { family }),
        host,
        interval,
        wait,
        size,
        timeout,
        quiet: quiet === true,
        level: flags.verbose ? 'verbose' : 'normal',
      })
      finish(code)
    })
}

/** ping's -c is a count and ours a file; a file of digits is written ./3. */
function readC(text: string, previous: PingFlags['config'] = {}): NonNullable<PingFlags['config']> {
  return /^\d+$/.test(text) ? { ...previous, count: readCount(text) } : { ...previous, file: text }
}

function readInterval(text: string): number {
  const interval = readDuration(text)
  if (interval >= 2) return interval
  throw new InvalidArgumentError('at least 0.002 seconds')
}

function readWait(text: string): number {
  const wait = readDuration(text)
  if (wait > 0) return wait
  throw new InvalidArgumentError('more than 0 seconds')
}

function readSize(text: string): number {
  const size = Number(text)
  if (/^\d{1,5}$/.test(text) && size <= 65507) return size
  throw new InvalidArgumentError('a whole number from 0 to 65507')
}
