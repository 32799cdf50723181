import type { Command } from 'commander'
import type { Finish } from './main.js'

/** `tunless demo`: a gateway and a runner on this host, to see it work. */
export function addDemo(program: Command, finish: Finish): void {
  program
    .command('demo')
    .description('show a tunnel at work: a gateway in a second process, a web server behind it, a speed test')
    .action(async () => {
      const { demo } = await import('../app/demo.js')
      finish((await demo()) ? 0 : 1)
    })
}
