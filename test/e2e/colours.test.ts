// Colours: on a terminal alone, and not where NO_COLOR is set (https://no-color.org). script(1) makes the terminal.
import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { bin, openGateway, run } from './cli-support.js'

const hasScript = spawnSync('script', ['--version']).error === undefined

it.runIf(hasScript)('check has colours on a terminal, unless NO_COLOR is set to something', async () => {
  const { conf, directory } = await openGateway()
  const onTerminal = (env: NodeJS.ProcessEnv) => {
    const { NO_COLOR: _, ...inherited } = process.env
    const command = `'${process.execPath}' '${bin}' check --no-network -c '${conf}'`
    const options = { env: { ...inherited, TMPDIR: directory, ...env }, encoding: 'utf8', timeout: 50_000 } as const
    return spawnSync('script', ['-qec', command, '/dev/null'], options).stdout
  }
  expect(onTerminal({})).toContain('\x1b[')
  expect(onTerminal({ NO_COLOR: '' })).toContain('\x1b[')
  expect(onTerminal({ NO_COLOR: '1' })).toMatch(/^ok /)
  expect(onTerminal({ NO_COLOR: '1' })).not.toContain('\x1b[')
  expect((await run(['check', '--no-network', '-c', conf], directory)).stdout).not.toContain('\x1b[')
})
