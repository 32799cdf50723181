import type { Command } from 'commander'
import type { Finish } from './main.js'

/** `tunless pubkey`: as `wg pubkey`. */
export function addPubkey(program: Command, finish: Finish): void {
  program
    .command('pubkey')
    .description('print the public key of the private key on stdin')
    .action(async () => {
      const { printPublicKey } = await import('../app/keys.js')
      finish((await printPublicKey()) ? 0 : 1)
    })
}
