import type { Command } from 'commander'
import { collectText, type Listen, readEndpoint } from './arguments.js'
import type { Finish } from './main.js'
import { addObserverOptions, type ObserverFlags, observerOptions } from './observe.js'
import { addTunnelOptions, logLevel, type TunnelFlags, tunnelOptions } from './options.js'
import { addWaysInOptions, type WaysInFlags, waysInOptions } from './ways-in.js'

interface RunFlags extends TunnelFlags, WaysInFlags, ObserverFlags {
  readonly wait?: Listen[]
  readonly direct?: string[]
  readonly proxyAuth: boolean
}

const footer = `
The command finds proxies into the tunnel in its environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, TUNLESS_SOCKS), and ssh, scp and
sftp on its PATH that go through it; so do rsync, git and ansible. docs/running.md has what goes around them.

Exit codes:
  that of the command, or:
  125    tunless itself failed, usage and configuration included
  126    the command cannot be executed
  127    the command was not found
  128+N  the command was ended by signal N, or run was before it had started it

Examples:
  tunless run -c deploy.conf --wait web1:22 rsync -a dist/ deploy@web1:/srv/www
  tunless run -c deploy.conf --direct .github.com npm run release`

/** `tunless run`: a command with a tunnel around it. */
export function addRun(program: Command, finish: Finish): void {
  const command = program
    .command('run')
    .description('run a command with a tunnel around it, and end with its exit code')
  addObserverOptions(addWaysInOptions(addTunnelOptions(command)))
    .option(
      '--wait <host:port>',
      'start the command once this target accepts a connection, for which it has --timeout; repeatable',
      collectTarget,
    )
    .option(
      '--direct <pattern>',
      "what goes out by the host's network: NAME, .SUFFIX, ADDRESS, CIDR, or '*' for all that the tunnel has no route for; repeatable",
      collectText,
    )
    .option('--no-proxy-auth', 'no credentials in the proxy variables, for programs that cannot send any')
    .argument('<command...>', 'a program and its arguments')
    .addHelpText('after', footer)
    .action(async (words: string[], flags: RunFlags) => {
      const { run } = await import('../app/run.js')
      const { wait = [], direct = [], proxyAuth } = flags
      const options = { ...tunnelOptions(flags), ...waysInOptions(flags), ...observerOptions(flags) }
      finish(await run({ ...options, level: logLevel(flags), wait, direct, proxyAuth, command: words }))
    })
}

function collectTarget(text: string, previous: readonly Listen[] = []): Listen[] {
  return [...previous, readEndpoint(text)]
}
