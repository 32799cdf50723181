import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { completions, type Shell } from '../../../src/app/completions.js'
import { describeCommand } from '../../../src/cli/completions.js'
import { createProgram } from '../../../src/cli/main.js'
import { offeredByFish, offeredByZsh } from '../../support/shell-completions.js'

const commands = createProgram(() => {}).commands.map(describeCommand)
const scripts = Object.fromEntries(
  (['bash', 'zsh', 'fish'] as Shell[]).map(shell => [shell, completions(shell, commands)]),
) as Record<Shell, string>

const has = (program: string) => spawnSync(program, ['--version']).error === undefined

/** What bash would offer after these words; the last is being typed. */
function offered(...words: string[]): string[] {
  const script = `${scripts.bash}
COMP_WORDS=(tunless "$@"); COMP_CWORD=$#; compopt() { :; }
_tunless; printf '%s\\n' "\${COMPREPLY[@]}"`
  const printed = execFileSync('bash', ['--norc', '-c', script, 'bash', ...words], { encoding: 'utf8' })
  return printed.split('\n').filter(line => line !== '')
}

describe('the completions of bash', () => {
  it('offer commands, then what the command takes', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['up', 'serve', 'check', 'completions', '--help']))
    expect(offered('se')).toEqual(['serve'])
    expect(offered('serve', '--ro')).toEqual(['--route'])
    expect(offered('up', '--congestion', '')).toEqual(['bbr', 'cubic'])
    expect(offered('completions', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(offered('-h', 'up', '--log', 'j')).toEqual(['json'])
  })

  it('offer the sub-commands of a group, and what those take', () => {
    expect(offered('policy', '')).toEqual(['check', 'test', 'explain', 'diff', 'suggest'])
    expect(offered('policy', 'test', '--allow')).toEqual(['--allow-undecided'])
    expect(offered('policy', 'test', '--format', 'ju')).toEqual(['junit'])
    expect(offered('policy', 'check', 'package')).toContain('package.json')
    expect(offered('policy', 'diff', '--netmap', 'package')).toContain('package.json')
    expect(offered('check', '--no-n')).toEqual(['--no-network'])
    expect(offered('policy', 'check', '--no-n')).toEqual([])
  })

  it('offer files where one is wanted, and programs to run', () => {
    expect(offered('up', '-c', 'package')).toContain('package.json')
    expect(offered('up', '-D', '')).toEqual([])
    expect(offered('run', '-q', 'bas')).toContain('bash')
  })
})

describe.each([
  ['zsh', offeredByZsh],
  ['fish', offeredByFish],
] as const)('the completions of %s', (shell, offeredBy) => {
  it.runIf(has(shell))('offer commands, options, values, files, and programs to run', { timeout: 120_000 }, () => {
    const offers = (line: string) => offeredBy(scripts[shell], line)
    expect(offers('tunless ')).toEqual(expect.arrayContaining(['up', 'serve', 'check', 'completions']))
    expect(offers('tunless se')).toEqual(['serve'])
    expect(offers('tunless serve --ro')).toEqual(['--route'])
    expect(offers('tunless up --congestion ')).toEqual(['bbr', 'cubic'])
    expect(offers('tunless completions ').sort()).toEqual(['bash', 'fish', 'zsh'])
    expect(offers('tunless up -c ./comp').join()).toMatch(/^(\.\/)?completions$/)
    expect(offers('tunless run bas')).toContain('bash')
    expect(offers('tunless run -q --timeout 3 bas')).toContain('bash')
  })
})

describe.runIf(has('fish'))('the completions of fish', () => {
  it('tell a group’s sub-command from the command of the same name', { timeout: 120_000 }, () => {
    const offers = (line: string) => offeredByFish(scripts.fish, line)
    expect(offers('tunless policy ')).toEqual(['check', 'diff', 'explain', 'suggest', 'test'])
    expect(offers('tunless policy check --no')).toEqual([])
    expect(offers('tunless check --no-n')).toEqual(['--no-network'])
    expect(offers('tunless policy explain --pro')).toEqual(['--proto'])
  })
})

describe.each(['bash', 'zsh', 'fish'] as const)('the script for %s', shell => {
  it.runIf(has(shell))('is one that it takes', () => {
    // A pipe of the shell: fish does not read from the socket that Node would give it.
    const checked = spawnSync('sh', ['-c', `cat | ${shell} -n`], { input: scripts[shell], encoding: 'utf8' })
    expect([checked.status, checked.stderr]).toEqual([0, ''])
  })

  it('has every command with all of its options', () => {
    for (const { name, options } of commands.flatMap(command => [command, ...command.commands])) {
      expect(scripts[shell]).toContain(name)
      for (const option of options.flatMap(each => each.names)) {
        const written =
          shell !== 'fish' ? option : option.startsWith('--') ? `-l ${option.slice(2)}` : `-s ${option.slice(1)}`
        expect(scripts[shell]).toContain(written)
      }
    }
  })
})
