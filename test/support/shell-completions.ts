// What zsh and fish offer for a command line, with a completion script loaded: zsh on a pseudo-terminal of its own, as it completes
// in its line editor alone.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const timeout = 60_000

/** Each match on a line, before the shell's own `compadd` takes it. */
const zshSetup = `
PS1=
autoload -U compinit
compinit -u -D
source ./completions
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a __matches
  builtin compadd -A __matches "$@"
  print -rl -- "match "\${^__matches}
  builtin compadd "$@"
}
all-told() { print -r -- all-told }
comppostfuncs=(all-told)
bindkey '^I' complete-word
`

const zshDriver = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'source ./setup; print set""-up'
zpty -r shell printed '*set-up*'
zpty -n -w shell "$1"$'\\t'
zpty -r shell printed '*all-told*'
print -r -- $printed
`

/** `line` ends where the cursor is. */
export function offeredByZsh(script: string, line: string): string[] {
  return inFolder({ completions: script, setup: zshSetup, driver: zshDriver }, folder => {
    const printed = execFileSync('zsh', ['-f', './driver', line], { cwd: folder, encoding: 'utf8', timeout })
    return [...printed.matchAll(/match (\S+)\r?$/gm)].map(([, match]) => match as string)
  })
}

export function offeredByFish(script: string, line: string): string[] {
  return inFolder({ completions: script }, folder => {
    const command = `source ./completions; complete -C '${line}'`
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
    const options = { cwd: folder, env, encoding: 'utf8', timeout } as const
    const printed = execFileSync('fish', ['--no-config', '-c', command], options)
    return printed.split('\n').flatMap(text => (text === '' ? [] : [text.split('\t')[0] as string]))
  })
}

function inFolder<T>(files: Readonly<Record<string, string>>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'tunless-completions-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
