import type { Command } from 'commander'
import type { Finish } from './main.js'

/** `tunless genkey`: as `wg genkey`. */
export function addGenkey(program: Command, finish: Finish): void {
  program
    .command('genkey')
    .description('print a new private key')
    .action(async () => {
      const { printNewKey } = await import('../app/keys.js')
      printNewKey('private')
      finish(0)
    })
}
