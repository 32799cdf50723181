import type { Command } from 'commander'
import type { Finish } from './main.js'

/** `tunless genpsk`: as `wg genpsk`. */
export function addGenpsk(program: Command, finish: Finish): void {
  program
    .command('genpsk')
    .description('print a new preshared key')
    .action(async () => {
      const { printNewKey } = await import('../app/keys.js')
      printNewKey('preshared')
      finish(0)
    })
}
