import { type Command, InvalidArgumentError } from 'commander'
import type { Finish } from './main.js'

interface BenchFlags {
  readonly only?: string[]
  readonly quick?: true
  readonly json?: true
  readonly compare?: string
  readonly tolerance?: number
}

/** `tunless bench`: how fast it is on this machine, and whether it was faster before. */
export function addBench(program: Command, finish: Finish): void {
  program
    .command('bench')
    .description('measure how fast this machine is at it: crypto, packets, and a tunnel over loopback')
    .option('--only <ids>', 'these alone, separated by commas: aead, macro/up', readIds)
    .option('--quick', 'in some seconds, less exact')
    .option('--json', 'print a report for machines')
    .option('--compare <file>', 'exit with 1 if something is worse than in that report')
    .option('--tolerance <percent>', 'by how much it may be worse (default: 25)', readPercent)
    .action(async ({ quick, ...flags }: BenchFlags) => {
      const { bench } = await import('../app/bench.js')
      finish((await bench({ ...flags, effort: quick ? 'quick' : 'short' })) ? 0 : 1)
    })
}

function readIds(text: string, previous: readonly string[] = []): string[] {
  const ids = text.split(',').map(id => id.replace(/\/$/, ''))
  if (ids.some(id => !/^[\w-]+(\/[\w.:-]+)*$/.test(id))) throw new InvalidArgumentError('write ids as --json has them')
  return [...previous, ...ids]
}

/** `25`, `25%`, `7.5 %`. */
function readPercent(text: string): number {
  const [, number] = /^(\d{1,4}(?:\.\d{1,3})?) ?%?$/.exec(text) ?? []
  if (number === undefined) throw new InvalidArgumentError('write a percentage: 25')
  return Number(number)
}
