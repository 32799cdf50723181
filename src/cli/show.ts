import type { Command } from 'commander'
import type { Finish } from './main.js'

/** `tunless show`: as `wg show`. */
export function addShow(program: Command, finish: Finish): void {
  program
    .command('show')
    .description('print interfaces and their peers, as wg show does: the one of that name or socket, or all')
    .argument('[name]', "a name of `up --name`, a socket's path, or the Name of a running configuration")
    .option('--json', 'print an array of JSON objects')
    .action(async (name: string | undefined, { json }: { json?: true }) => {
      const [{ createLog }, { print }, { show }] = await Promise.all([
        import('../app/log.js'),
        import('../app/print.js'),
        import('../app/show.js'),
      ])
      print(await show(name, createLog('normal'), json))
      finish(0)
    })
}
