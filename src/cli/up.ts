import { type Command, Option } from 'commander'
import { readInterfaceName } from './arguments.js'
import type { Finish } from './main.js'
import { addObserverOptions, type ObserverFlags, observerOptions } from './observe.js'
import { addTunnelOptions, logLevel, type TunnelFlags, tunnelOptions } from './options.js'
import { addWaysInOptions, type WaysInFlags, waysInOptions } from './ways-in.js'

interface UpFlags extends TunnelFlags, WaysInFlags, ObserverFlags {
  readonly detach?: true
  readonly pidFile?: string
  readonly readyFile?: string
  readonly name?: string
  readonly uapi?: string
  readonly keylog?: string
  readonly pcap?: string
  readonly pcapLayers: 'outer' | 'inner' | 'both'
}

/** `tunless up`: a tunnel that stays, with a proxy and port forwards. */
export function addUp(program: Command, finish: Finish): void {
  const command = program.command('up').description('bring a tunnel up and keep it, with a proxy and port forwards')
  addObserverOptions(addWaysInOptions(addTunnelOptions(command)))
    .option('--detach', 'go to the background once the tunnel stands; `tunless down` ends it')
    .option('--pid-file <file>', 'write the process id there, as long as it runs')
    .option('--ready-file <file>', 'write where it listens as JSON there, once the tunnel stands')
    .addOption(
      new Option('--name <name>', 'let wg show and change it as the interface of this name (needs root)')
        .argParser(readInterfaceName)
        .conflicts('uapi'),
    )
    .option('--uapi <path>', 'the same by a socket of your own, for other tools that speak it')
    .option(
      '--keylog <file>',
      "append the secrets of each handshake, for Wireshark; they open all of the tunnel's traffic",
    )
    .option('--pcap <file>', 'write what passes as pcapng, for Wireshark')
    .addOption(
      new Option('--pcap-layers <which>', 'datagrams outside, packets inside the tunnel, or both')
        .choices(['outer', 'inner', 'both'])
        .default('both'),
    )
    .action(async (flags: UpFlags) => {
      const { up } = await import('../app/up.js')
      const { detach, pidFile, readyFile, name, uapi, keylog, pcap, pcapLayers: layers } = flags
      const code = await up({
        ...tunnelOptions(flags),
        level: logLevel(flags),
        ...waysInOptions(flags),
        ...observerOptions(flags),
        ...(detach && { detach }),
        ...(pidFile !== undefined && { pidFile }),
        ...(readyFile !== undefined && { readyFile }),
        ...(name !== undefined && { name }),
        ...(uapi !== undefined && { uapi }),
        ...(keylog !== undefined && { keylog }),
        ...(pcap !== undefined && { pcap: { file: pcap, layers } }),
      })
      finish(code)
    })
}
