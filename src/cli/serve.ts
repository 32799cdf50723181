import { type Command, Option } from 'commander'
import { collectText, readCount, readDuration } from './arguments.js'
import type { Finish } from './main.js'
import { addObserverOptions, type ObserverFlags, observerOptions } from './observe.js'
import { addTunnelOptions, logLevel, type TunnelFlags, tunnelOptions } from './options.js'

interface ServeFlags extends TunnelFlags, ObserverFlags {
  readonly route?: string[]
  readonly maxConnections?: number
  readonly maxUdpFlows?: number
  readonly udpIdle?: number
  readonly ping: boolean
  readonly pidFile?: string
  readonly readyFile?: string
}

/** `tunless serve`: a gateway to this host's networks, without root. */
export function addServe(program: Command, finish: Finish): void {
  addObserverOptions(
    addTunnelOptions(
      program.command('serve').description("lead the tunnel's peers into this host's networks: a gateway without root"),
    ),
  )
    .option(
      '--route <cidr>',
      'let peers reach these addresses, by TCP, UDP and ping; ADDRESS=TARGET makes one stand for another; repeatable',
      collectText,
    )
    .addOption(
      new Option('--max-connections <n>', 'TCP connections of one peer at a time (default: 4096)').argParser(readCount),
    )
    .addOption(
      new Option('--max-udp-flows <n>', 'UDP flows of one peer at a time (default: 1024)').argParser(readCount),
    )
    .addOption(
      new Option('--udp-idle <time>', 'end a UDP flow that is silent for so long (default: 120)').argParser(
        readDuration,
      ),
    )
    .option('--no-ping', "answer no pings (else this host's ping asks the target)")
    .option('--pid-file <file>', 'write the process id there, as long as it runs')
    .option('--ready-file <file>', 'write what it does as JSON there, once the gateway stands')
    .addHelpText(
      'after',
      `
What is of this host, of its links, of its peers or of a cloud's metadata service is not reached unless a --route names just that:
  tunless serve -c gateway.conf --route 10.0.0.0/8 --route 192.0.2.4/32
  tunless serve -c gateway.conf --route 10.9.0.1=127.0.0.1`,
    )
    .action(async (flags: ServeFlags) => {
      const { serve } = await import('../app/serve.js')
      const { route: routes = [], maxConnections, maxUdpFlows: maxFlows, udpIdle, ping, pidFile, readyFile } = flags
      await serve({
        ...tunnelOptions(flags),
        ...observerOptions(flags),
        level: logLevel(flags),
        routes,
        ping,
        ...(pidFile !== undefined && { pidFile }),
        ...(readyFile !== undefined && { readyFile }),
        ...(maxConnections !== undefined && { maxConnections }),
        ...(maxFlows !== undefined && { maxFlows }),
        ...(udpIdle !== undefined && udpIdle > 0 && { udpIdle }),
      })
      finish(0)
    })
}
