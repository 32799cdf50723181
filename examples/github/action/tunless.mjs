// The command of the workspace, and the inputs.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'

export function input(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim()
}

export function lines(name) {
  return input(name)
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)
}

/** Runs it to its end; a failure ends the step, with what it said in the log. */
export function tunless(args) {
  const { resolve } = createRequire(join(process.env.GITHUB_WORKSPACE, 'package.json'))
  const command = join(resolve('tunless/package.json'), '../dist/bin.cjs')
  const { INPUT_CONFIG, GITHUB_STEP_SUMMARY: _, ...env } = process.env // the summary is the post step's
  const result = spawnSync(process.execPath, [command, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...env, TUNLESS_CONFIG: INPUT_CONFIG },
  })
  if (result.status !== 0) {
    process.stdout.write(`::error::tunless ${args[0]} failed: the log of this step says why\n`)
    process.exit(1)
  }
}
