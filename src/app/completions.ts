// Completions for bash, zsh and fish, made from the command line's own description.

export type Shell = 'bash' | 'zsh' | 'fish'

export interface OptionWords {
  /** `-c`, `--config`. */
  readonly names: readonly string[]
  readonly description: string
  /** What follows it, where something does: a file, one of these, or something that a shell cannot know. */
  readonly value?: 'file' | 'other' | readonly string[]
}

export interface CommandWords {
  readonly name: string
  readonly description: string
  readonly options: readonly OptionWords[]
  /** What its first operand is: a program, a file, one of these, or something that a shell cannot know. */
  readonly operand: 'command' | 'file' | 'none' | readonly string[]
  /** Sub-commands of its own, which stand in the operand's place. */
  readonly commands: readonly CommandWords[]
}

export function completions(shell: Shell, commands: readonly CommandWords[]): string {
  if (shell === 'bash') return bash(commands)
  return shell === 'zsh' ? zsh(commands) : fish(commands)
}

const heading = (shell: Shell) => `# ${shell} completion for tunless, made by \`tunless completions ${shell}\``
const globals = ['-h', '--help', '-V', '--version']

function bash(commands: readonly CommandWords[]): string {
  const flat = commands.flatMap(command => [
    command,
    ...command.commands.map(each => ({ ...each, name: `${command.name} ${each.name}` })),
  ])
  const groups = commands.filter(command => command.commands.length > 0)
  const cases = flat.map(({ name, options, operand: own, commands: inner }) => {
    const operand = inner.length > 0 ? inner.map(each => each.name) : own
    const values = options.flatMap(({ names, value }) => {
      if (value === undefined) return []
      const reply =
        value === 'file'
          ? 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); '
          : value === 'other'
            ? ''
            : `COMPREPLY=($(compgen -W '${value.join(' ')}' -- "$cur")); `
      return [`        ${names.join('|')}) ${reply}return ;;`]
    })
    const words = options.flatMap(option => option.names).join(' ')
    const operands =
      operand === 'command'
        ? `        *) COMPREPLY=($(compgen -c -- "$cur")) ;;\n`
        : operand === 'file'
          ? `        *) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;\n`
          : operand === 'none'
            ? ''
            : `        *) COMPREPLY=($(compgen -W '${operand.join(' ')}' -- "$cur")) ;;\n`
    const byValue = values.length === 0 ? '' : `      case $prev in\n${values.join('\n')}\n      esac\n`
    return `    '${name}')
${byValue}      case $cur in
        -*) COMPREPLY=($(compgen -W '${words}' -- "$cur")) ;;
${operands}      esac ;;
`
  })
  const names = commands.map(command => command.name).join(' ')
  return `${heading('bash')}
_tunless() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -*) ;;
      *)
        command=\${command:+$command }\${COMP_WORDS[i]}
        case $command in
          ${groups.map(({ name }) => name).join('|')}) ;;
          *) break ;;
        esac ;;
    esac
  done
  COMPREPLY=()
  case $command in
    '') COMPREPLY=($(compgen -W '${names} ${globals.join(' ')}' -- "$cur")) ;;
${cases.join('')}  esac
}
complete -o default -F _tunless tunless
`
}

function zsh(commands: readonly CommandWords[]): string {
  const caseOf = ({ name, options, operand, commands: inner }: CommandWords): string => {
    if (inner.length > 0) {
      return `      ${name})
        local -a ${name}_commands=(
${described(inner)}
        )
        _arguments -C '(- *)'{-h,--help}'[print help]' '1: :->inner' '*:: :->inner_rest'
        case $state in
          inner) _describe command ${name}_commands ;;
          inner_rest)
            case $words[1] in
${inner.map(caseOf).join('')}            esac ;;
        esac ;;
`
    }
    const specs = options.map(({ names, description, value }) => {
      const taken =
        value === undefined
          ? ''
          : `:${value === 'file' ? 'file:_files' : value === 'other' ? 'value: ' : `value:(${value.join(' ')})`}`
      const told = `[${zshText(description)}]${taken}`
      const [first = '', ...others] = names
      if (others.length === 0) return `        ${quote(`*${first}${told}`)}`
      return names.map(one => `        ${quote(`*${one}${told}`)}`).join(' \\\n')
    })
    const rest =
      operand === 'command'
        ? `'(-):command:_command_names -e' '*::arguments:_normal'`
        : operand === 'file'
          ? "'*:file:_files'"
          : operand === 'none'
            ? "'*:operand: '"
            : `'1:operand:(${operand.join(' ')})'`
    return `      ${name})
        _arguments -s \\
${specs.join(' \\\n')} \\
        ${rest} ;;
`
  }
  return `#compdef tunless
${heading('zsh')}
_tunless() {
  local context state state_descr line
  typeset -A opt_args
  local -a subcommands=(
${described(commands)}
  )
  _arguments -C '(- *)'{-h,--help}'[print help]' '(- *)'{-V,--version}'[print the version]' '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command subcommands ;;
    rest)
      case $words[1] in
${commands.map(caseOf).join('')}      esac ;;
  esac
}
if [ "$funcstack[1]" = _tunless ]; then _tunless "$@"; else compdef _tunless tunless; fi
`
}

function described(commands: readonly CommandWords[]): string {
  return commands
    .map(({ name, description }) => `    ${quote(`${name}:${description.replaceAll(':', '\\:')}`)}`)
    .join('\n')
}

function zshText(text: string): string {
  return text.replace(/[[\]\\]/g, '\\$&').replaceAll(':', '\\:')
}

function fish(commands: readonly CommandWords[]): string {
  const names = commands.map(command => command.name).join(' ')
  const lines = [
    heading('fish'),
    'complete -c tunless -f',
    `complete -c tunless -n 'not __fish_seen_subcommand_from ${names}' -s h -l help -d 'print help'`,
    `complete -c tunless -n 'not __fish_seen_subcommand_from ${names}' -s V -l version -d 'print the version'`,
  ]
  const groups = commands.filter(command => command.commands.length > 0).map(command => command.name)
  for (const command of commands) {
    lines.push(
      `complete -c tunless -n 'not __fish_seen_subcommand_from ${names}' -a ${command.name} -d ${quote(command.description)}`,
    )
    // The same word may be a group's sub-command.
    const isGroup = command.commands.length > 0
    const others = isGroup ? '' : `not __fish_seen_subcommand_from ${groups.join(' ')}; and `
    lines.push(...fishWords(command, `${others}__fish_seen_subcommand_from ${command.name}`))
    const inner = command.commands.map(each => each.name).join(' ')
    const inside = `__fish_seen_subcommand_from ${command.name}; and `
    for (const each of command.commands) {
      lines.push(
        `complete -c tunless -n '${inside}not __fish_seen_subcommand_from ${inner}' -a ${each.name} -d ${quote(each.description)}`,
        ...fishWords(each, `${inside}__fish_seen_subcommand_from ${each.name}`),
      )
    }
  }
  return `${lines.join('\n')}\n`
}

function fishWords({ options, operand }: CommandWords, condition: string): string[] {
  const when = `-n '${condition}'`
  const lines = options.map(({ names: flags, description: told, value }) => {
    const spelled = flags.map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ')
    const taken =
      value === undefined
        ? ''
        : value === 'file'
          ? ' -r -F'
          : value === 'other'
            ? ' -x'
            : ` -x -a ${quote(value.join(' '))}`
    return `complete -c tunless ${when} ${spelled}${taken} -d ${quote(told)}`
  })
  if (operand === 'command') {
    const takers = options.flatMap(option => (option.value === undefined ? [] : option.names)).join(' ')
    lines.push(`complete -c tunless ${when} -x -a '(__fish_complete_subcommand --fcs-skip=2 ${takers})'`)
  } else if (operand === 'file') lines.push(`complete -c tunless ${when} -F`)
  else if (operand !== 'none') lines.push(`complete -c tunless ${when} -x -a ${quote(operand.join(' '))}`)
  return lines
}

/** For all three shells: no quote within a quoted word. */
function quote(text: string): string {
  return `'${text.replaceAll("'", '’').replace(/\\$/, '')}'`
}
