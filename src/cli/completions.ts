import { Argument, type Command, type Option } from 'commander'
import type { CommandWords, OptionWords, Shell } from '../app/completions.js'
import type { Finish } from './main.js'

/** `tunless completions`: what the shell needs to complete our commands and options. */
export function addCompletions(program: Command, finish: Finish): void {
  program
    .command('completions')
    .description('print the completions of a shell')
    .addArgument(new Argument('<shell>', 'which').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
Examples:
  tunless completions bash > /etc/bash_completion.d/tunless
  tunless completions zsh > "\${fpath[1]}/_tunless"
  tunless completions fish > ~/.config/fish/completions/tunless.fish`,
    )
    .action(async (shell: Shell) => {
      const [{ completions }, { print }] = await Promise.all([
        import('../app/completions.js'),
        import('../app/print.js'),
      ])
      print(completions(shell, program.commands.map(describeCommand)))
      finish(0)
    })
}

/** As data: the words of a command and its options. */
export function describeCommand(command: Command): CommandWords {
  const operands = command.registeredArguments
  const choices = operands.find(one => one.argChoices)?.argChoices
  const isFile = operands.some(one => /^(file|log|old)$/.test(one.name()))
  return {
    name: command.name(),
    description: command.description(),
    options: [...command.options.map(describeOption), { names: ['-h', '--help'], description: 'print help' }],
    operand: command.name() === 'run' ? 'command' : (choices ?? (isFile ? 'file' : 'none')),
    commands: command.commands.map(describeCommand),
  }
}

function describeOption({ short, long, flags, description, argChoices }: Option): OptionWords {
  const names = [short, long].filter(name => name !== undefined)
  const [, value] = /<([^>]*)>/.exec(flags) ?? []
  if (value === undefined) return { names, description }
  return { names, description, value: argChoices ?? (/file|path|directory|where/.test(value) ? 'file' : 'other') }
}
