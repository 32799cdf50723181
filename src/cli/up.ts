import type { Command } from 'commander'
import { collectForward, type ForwardSpec, type Listen, readListen } from './arguments.js'
import type { Finish } from './main.js'
import { addTunnelOptions, logLevel, type TunnelFlags, tunnelOptions } from './options.js'

interface UpFlags extends TunnelFlags {
  readonly D?: Listen
  readonly L?: ForwardSpec[]
  readonly readyFile?: string
}

/** `tunless up`: a tunnel that stays, with a proxy and port forwards. */
export function addUp(program: Command, finish: Finish): void {
  addTunnelOptions(program.command('up').description('bring a tunnel up and keep it, with a proxy and port forwards'))
    .option('-D <[bind:]port>', 'SOCKS5 proxy into the tunnel on this local port; 0 takes a free one', readListen)
    .option('-L <[bind:]port:host:hostport>', 'lead a local port to a port in the tunnel; repeatable', collectForward)
    .option('--ready-file <file>', 'write where it listens as JSON there, once the tunnel stands')
    .action(async (flags: UpFlags) => {
      const { up } = await import('../app/up.js')
      const { D: socks, L: forwards = [], readyFile } = flags
      await up({
        ...tunnelOptions(flags),
        level: logLevel(flags),
        forwards,
        ...(socks && { socks }),
        ...(readyFile !== undefined && { readyFile }),
      })
      finish(0)
    })
}
