import type { Command } from 'commander'
import type { Finish } from './main.js'
import { logOption } from './options.js'

interface PeersFlags {
  readonly config?: string
  readonly privateKeyFile?: string
  readonly tag?: string
  readonly json?: true
}

/** `tunless peers`: who is in a running tunnel's network. */
export function addPeers(program: Command, finish: Finish): void {
  program
    .command('peers')
    .description("list who is in a running tunnel's network, with tags; those heard last come first")
    .argument('[name]', 'the Name of a running configuration (default: the one that runs)')
    .option('-c, --config <file>', 'the tunnel that runs with this configuration')
    .option('--private-key-file <file>', 'private key for a configuration without one (default: $TUNLESS_PRIVATE_KEY)')
    .option('--tag <tag>', 'only who has it')
    .option('--json', 'print an array of JSON, for a rolling deploy')
    .addOption(logOption())
    .addHelpText('after', "\nExample:\n  tunless peers -c deploy.conf --tag tag:web --json | jq -r '.[].name'")
    .action(async (name: string | undefined, flags: PeersFlags) => {
      const [{ createLog }, { peers }, { print }] = await Promise.all([
        import('../app/log.js'),
        import('../app/peers.js'),
        import('../app/print.js'),
      ])
      const { config, privateKeyFile, tag, json = false } = flags
      const options = {
        ...(name !== undefined && { name }),
        ...(config !== undefined && { file: config }),
        ...(privateKeyFile !== undefined && { privateKeyFile }),
        ...(tag !== undefined && { tag }),
        json,
        log: createLog('normal'),
      }
      print(await peers(options))
      finish(0)
    })
}
