import type { Command } from 'commander'
import { readHost, readTargetPort } from './arguments.js'
import { exitCodeOf } from './exit-codes.js'
import type { Finish } from './main.js'
import { addTunnelOptions, logLevel, type TunnelFlags, tunnelOptions } from './options.js'

/** `tunless nc`: one connection on stdin and stdout, for ssh's ProxyCommand. */
export function addNc(program: Command, finish: Finish): void {
  addTunnelOptions(
    program
      .command('nc')
      .description("connect stdin and stdout to a port in the tunnel, as ssh's ProxyCommand wants it"),
  )
    .argument('<host>', 'name of the configuration, or an address', readHost)
    .argument('<port>', 'TCP port', readTargetPort)
    .addHelpText('after', "\nExample:\n  ssh -o ProxyCommand='tunless nc -c deploy.conf %h %p' deploy@web1")
    .action(async (host: string, port: number, flags: TunnelFlags) => {
      const { nc } = await import('../app/nc.js')
      finish(await nc({ ...tunnelOptions(flags), level: logLevel(flags), host, port }, exitCodeOf))
    })
}
