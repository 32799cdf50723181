// The deploy jobs of the recipes, their scripts taken from the files and run as each CI system runs them: from the checkout to the
// release that is current on a host behind the tunnel.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAlpine } from '../support/alpine.js'
import { createDeploySite, currentPage, type DeploySite } from '../support/deploy-site.js'
import { createNetwork, type Network } from '../support/netns.js'
import type { Result } from '../support/process.js'
import { createProject, describeRecipes, readRecipe, readYaml } from '../support/recipes.js'
import { command } from '../support/tarball.js'

interface GitLabJob {
  before_script?: string[]
  script: string[]
  after_script?: string[]
}
type CircleStep = string | { run?: string | { command: string } }

describeRecipes('a deploy job', () => {
  let network: Network
  let site: DeploySite
  let project: string
  beforeAll(async () => {
    network = await createNetwork()
    ;[site, project] = await Promise.all([createDeploySite(network), createProject()])
  })
  afterAll(() => network?.close())

  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const scratchFile = (name: string, text: string) => {
    const file = join(mkdtempSync(join(network.folder, 'secret-')), name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  it('of GitLab, on node:alpine', async () => {
    const [pipeline] = (await readYaml('gitlab', '.gitlab-ci.yml')) as [Record<'build' | 'deploy', GitLabJob>]
    const root = join(network.folder, 'alpine')
    const alpine = await createAlpine(root, { 'openssh-client-default': 'ssh', rsync: 'rsync', curl: 'curl' })
    const builds = join(root, 'builds')
    cpSync(project, join(builds, 'site'), { recursive: true })
    writeFileSync(join(builds, 'key'), site.sshKey)
    writeFileSync(join(builds, 'known_hosts'), site.knownHosts)
    const folder = site.folder()
    const job = (lines: string[], env: Record<string, string> = {}) =>
      alpine.run(network.near, site.adapt(asGitLabDoes(lines), folder), {
        cwd: '/builds/site',
        env: { npm_config_offline: 'true', ...env },
      })

    succeeded(await job(pipeline.build.script))
    rmSync(join(builds, 'site/node_modules'), { recursive: true }) // another container; dist/ and .npm are handed on
    const { before_script = [], script, after_script = [] } = pipeline.deploy
    const secrets = {
      TUNLESS_CONFIG: base64(site.conf),
      SSH_KEY: '/builds/key',
      SSH_KNOWN_HOSTS: '/builds/known_hosts',
    }
    const result = succeeded(await job([...before_script, ...script], secrets))
    expect(result.stderr).toMatch(/tunless: sh: exit code 0 after/)
    expect(currentPage(folder)).toBe('built by npm\n')
    succeeded(await job(after_script))
    hidden(result)
  })

  it('of GitHub', async () => {
    const [workflow] = (await readYaml('github', 'deploy.yml')) as [{ jobs: { deploy: { steps: { run?: string }[] } } }]
    const scripts = workflow.jobs.deploy.steps.flatMap(step => step.run ?? [])
    const summary = join(network.folder, 'summary.md')
    await deploysFrom(scripts, {
      TUNLESS_CONFIG: base64(site.conf),
      SSH_KEY: site.sshKey.trimEnd(), // GitHub's secrets lose the line's end
      SSH_KNOWN_HOSTS: site.knownHosts.trimEnd(),
      GITHUB_STEP_SUMMARY: summary,
    })
  })

  it('of CircleCI', async () => {
    const [config] = (await readYaml('circleci', 'config.yml')) as [{ jobs: { deploy: { steps: CircleStep[] } } }]
    const scripts = config.jobs.deploy.steps.flatMap(step => {
      const run = typeof step === 'object' ? step.run : undefined
      const command = typeof run === 'object' ? run.command : run
      return command === undefined || command.includes('apt-get') ? [] : command
    })
    await deploysFrom(scripts, {
      TUNLESS_CONFIG: base64(site.conf),
      SSH_KEY: base64(site.sshKey),
      SSH_KNOWN_HOSTS: site.knownHosts.trimEnd(),
    })
  })

  it('of Jenkins', async () => {
    const text = readRecipe('jenkins', 'Jenkinsfile')
    const scripts = [...text.matchAll(/\bsh (?:'''([\s\S]*?)'''|'([^'\n]*)')/g)].map(
      match => match[1] ?? (match[2] as string),
    )
    // What Groovy would change in such a string.
    for (const script of scripts) expect(script).not.toContain('\\')
    await deploysFrom(
      scripts,
      {
        TUNLESS_CONFIG: scratchFile('tunless-config', site.conf),
        KNOWN_HOSTS: scratchFile('known-hosts', site.knownHosts),
        SSH_KEY: scratchFile('key', site.sshKey),
      },
      'sh',
    )
  })

  it('goes back to the release before where the new one is not healthy', async () => {
    const folder = site.folder()
    const checkout = mkdtempSync(join(network.folder, 'checkout-'))
    const [node, ...tunless] = (await command()) as [string, ...string[]]
    const known = scratchFile('known_hosts', site.knownHosts)
    const settings = `IdentityFile ${scratchFile('key', site.sshKey)}\nUserKnownHostsFile ${known}\n`
    const env = { ...process.env, SSH_CONFIG: scratchFile('ssh_config', settings) }
    const deploy = (release: string, health: string) => {
      writeFileSync(join(checkout, 'index.html'), release)
      const script = ['sh', join(project, 'scripts/deploy.sh'), checkout, 'root@web1', folder, health]
      return network.near.run(node, [...tunless, 'run', '-c', site.link.conf, ...script], { env })
    }
    succeeded(await deploy('first', 'http://web1:8000/health'))
    expect(currentPage(folder)).toBe('first')
    const failed = await deploy('second', 'http://web1:8009/health')
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('deploy: http://web1:8009/health does not'),
    })
    expect(currentPage(folder)).toBe('first')
  })

  /** Runs scripts one after the other in one checkout, in the network of the runner. */
  async function deploysFrom(scripts: string[], secrets: Record<string, string>, shell = 'bash'): Promise<void> {
    const checkout = mkdtempSync(join(network.folder, 'checkout-'))
    cpSync(project, checkout, { recursive: true })
    const folder = site.folder()
    const ssh = mkdtempSync(join(network.folder, 'dot-ssh-'))
    const env = {
      PATH: process.env.PATH,
      HOME: homedir(),
      npm_config_cache: '.npm',
      npm_config_offline: 'true', // it has what it needs in its cache
      ...secrets,
    }
    const results: Result[] = []
    for (const script of scripts) {
      // ssh takes ~ from the password file, not from HOME: a folder over it, that nobody else sees.
      const args = [...(shell === 'bash' ? ['-eo', 'pipefail'] : ['-e']), '-c', site.adapt(script, folder)]
      const own = 'mkdir -p ~/.ssh && mount --bind "$0" ~/.ssh && exec "$@"'
      const result = await network.near.run('sh', ['-c', own, ssh, shell, ...args], { cwd: checkout, env })
      results.push(succeeded(result))
    }
    expect(results.at(-1)?.stderr).toMatch(/tunless: sh: exit code 0 after/)
    expect(currentPage(folder)).toBe('built by npm\n')
    results.forEach(hidden)
  }

  /** No output shows a secret. */
  function hidden(result: Result): void {
    const [, key] = /PrivateKey = (\S+)/.exec(site.conf) as unknown as [string, string]
    for (const secret of [key, base64(site.conf), site.sshKey.split('\n')[1] as string]) {
      expect(result.stdout + result.stderr).not.toContain(secret)
    }
  }
})

/** What GitLab's runner makes of a job's lines in a shell that is not bash. */
function asGitLabDoes(lines: string[]): string {
  return ['if set -o | grep pipefail > /dev/null; then set -o pipefail; fi; set -o errexit', ...lines].join('\n')
}

/** Fails with what it said, unless it succeeded. */
function succeeded(result: Result): Result {
  if (result.code !== 0) throw new Error(`exit status ${result.code}\n${result.stdout}\n${result.stderr}`)
  return result
}
