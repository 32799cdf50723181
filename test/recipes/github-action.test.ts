// The action of examples/github/action, run as GitHub's runner runs it: inputs in the environment, and files for what a step says.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { createDeploySite, type DeploySite } from '../support/deploy-site.js'
import { createNetwork, type Network } from '../support/netns.js'
import type { Result } from '../support/process.js'
import { describeRecipes, readYaml, recipe } from '../support/recipes.js'
import { installed } from '../support/tarball.js'

interface Action {
  inputs: Record<string, { default?: string }>
  runs: { main: string; post: string }
}

describeRecipes('the action for GitHub', () => {
  let network: Network
  let site: DeploySite
  let action: Action
  beforeAll(async () => {
    network = await createNetwork()
    site = await createDeploySite(network)
    ;[action] = (await readYaml('github/action/action.yml')) as [Action]
  })
  afterAll(() => network?.close())

  it('opens a tunnel for the later steps, and ends it after them', async () => {
    const job = await createJob({ config: site.conf, forwards: '0:web1:8000', wait: 'web1:8000\nweb1:22\n' })
    const main = await job.step(action.runs.main)
    expect(main, main.stderr).toMatchObject({ code: 0 })
    const proxy = job
      .file('output')
      .replace(/^proxy=/, '')
      .trim()
    const url = 'http://web1:8000/health'
    expect(await network.near.must('curl', ['-sS', '--fail', '--noproxy', '', '--proxy', proxy, url])).toBe('hello\n')
    const stranger = proxy.replace(/\/\/.*@/, '//')
    expect(
      (await network.near.run('curl', ['-sS', '--fail', '--noproxy', '', '--proxy', stranger, url])).code,
    ).not.toBe(0)
    // The log masks what later steps might print.
    expect(main.stdout).toContain(`::add-mask::${new URL(proxy).password}\n`)

    const post = await job.step(action.runs.post)
    expect(post).toMatchObject({ code: 0 })
    expect(job.file('summary')).toMatch(
      /^### Tunnel\n\n\| Target .*\n\| --- .*\n\| `web1:8000` \| done \| 1 \| \d+ \| \d+ \|\n\n$/,
    )
    expect((await network.near.run('curl', ['-sS', '--proxy', proxy, url])).code).toBe(7)
    expect(readdirSync(job.temporary)).toEqual([])
    expect(main.stdout + main.stderr + post.stdout + post.stderr).not.toContain(site.conf.split('\n')[1])
  })

  it('fails with the reason where a target does not answer, and leaves nothing', async () => {
    const job = await createJob({ config: site.conf, wait: 'web1:9', timeout: '3' })
    const main = await job.step(action.runs.main)
    expect(main, main.stderr).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('::error::tunless run failed'),
    })
    expect(main.stderr).toContain('TARGET_REFUSED')
    expect(await job.step(action.runs.post)).toMatchObject({ code: 0 })
    expect(readdirSync(job.temporary)).toEqual([])
  })

  it('ends well where it never began', async () => {
    const job = await createJob({ config: 'nothing' })
    expect(await job.step(action.runs.main)).toMatchObject({ code: 1, stdout: expect.stringContaining('::error::') })
    expect(await job.step(action.runs.post)).toMatchObject({ code: 0 })
    expect(readdirSync(job.temporary)).toEqual([])
  })

  /** A job with a workspace in which `npm ci` has run and the action lies. */
  async function createJob(inputs: Record<string, string>) {
    const folder = mkdtempSync(join(network.folder, 'job-'))
    const temporary = join(folder, 'temp')
    mkdirSync(temporary)
    const workspace = await installed()
    const own = mkdtempSync(join(tmpdir(), 'action-'))
    onTestFinished(() => rmSync(own, { recursive: true, force: true }))
    cpSync(recipe('github/action'), own, { recursive: true })
    const given = Object.entries(action.inputs).map(([name, { default: value }]) => [name, inputs[name] ?? value ?? ''])
    const names = ['output', 'state', 'summary', 'env', 'path']
    for (const name of names) writeFileSync(join(folder, name), '')
    const file = (name: string) => readFileSync(join(folder, name), 'utf8')
    const step = (script: string): Promise<Result> => {
      const state = file('state')
        .split('\n')
        .filter(Boolean)
        .map(line => line.split('='))
      const env = {
        PATH: process.env.PATH,
        TMPDIR: own, // of a short name, as the path of a socket in it must be
        RUNNER_TEMP: temporary,
        GITHUB_WORKSPACE: workspace,
        ...Object.fromEntries(given.map(([name, value]) => [`INPUT_${(name as string).toUpperCase()}`, value])),
        ...Object.fromEntries(state.map(([name, value]) => [`STATE_${name}`, value])),
        ...Object.fromEntries(
          ['output', 'state', 'env', 'path'].map(name => [`GITHUB_${name.toUpperCase()}`, join(folder, name)]),
        ),
        GITHUB_STEP_SUMMARY: join(folder, 'summary'),
      }
      expect(existsSync(join(own, script))).toBe(true)
      return network.near.run(process.execPath, [join(own, script)], { env, cwd: workspace })
    }
    return { step, file, temporary }
  }
})
