// The example pipelines: their scripts are taken out of the YAML and run as the two services run them, in a checkout with a base and
// a change, against stand-ins for npm, gh and GitLab's API.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bin, scratch } from './cli-support.js'

const examples = join(import.meta.dirname, '../../examples/policy')
const has = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const canRun = process.platform !== 'win32' && ['git', 'bash', 'curl'].every(has)

/** The text of a block below a line: a scalar behind the colon, or what is indented deeper; without its indentation. */
function blockAt(lines: readonly string[], at: number): string {
  const line = lines[at] as string
  const [, indent = '', value = ''] = /^(\s*)(?:- )?(?:[\w-]+: )?(.*)$/.exec(line) ?? []
  if (value !== '|') return value
  const block: string[] = []
  for (const each of lines.slice(at + 1)) {
    if (each.trim() !== '' && (/^\s*/.exec(each) as RegExpExecArray)[0].length <= indent.length) break
    block.push(each)
  }
  const least = Math.min(...block.filter(each => each.trim() !== '').map(each => each.search(/\S/)))
  return block.map(each => each.slice(least)).join('\n')
}

/** before_script and script of a job of GitLab's. */
function gitlabScript(job: string): string[] {
  const all = readFileSync(join(examples, 'gitlab-ci.yml'), 'utf8').split('\n')
  const from = all.indexOf(`${job}:`)
  const to = all.findIndex((line, i) => i > from && /^\S/.test(line))
  const lines = all.slice(from, to < 0 ? undefined : to)
  const items: string[] = []
  let isScript = false
  for (const [at, line] of lines.entries()) {
    if (/^ {2}\S/.test(line)) isScript = /^ {2}(?:before_)?script:$/.test(line)
    else if (isScript && /^ {4}- /.test(line)) items.push(blockAt(lines, at))
  }
  return items
}

/** The `run` of each step of GitHub's, by its name. */
function githubSteps(): Map<string, string> {
  const lines = readFileSync(join(examples, 'github-workflow.yml'), 'utf8').split('\n')
  const steps = new Map<string, string>()
  let name = ''
  for (const [at, line] of lines.entries()) {
    name = /^ {6}- name: (.*)$/.exec(line)?.[1] ?? name
    if (/^ {8}run: /.test(line)) steps.set(name, blockAt(lines, at))
  }
  return steps
}

interface Checkout {
  readonly directory: string
  /** The commit that a change is compared with. */
  readonly base: string
  readonly run: (script: string, env?: NodeJS.ProcessEnv) => Promise<{ code: number; printed: string }>
  readonly read: (file: string) => string
}

/** The example policy with a change on top, and `tunless` on PATH. */
function checkout(change: (policy: string) => string): Checkout {
  const root = scratch()
  const [directory, programs] = [join(root, 'checkout'), join(root, 'programs')]
  mkdirSync(directory)
  mkdirSync(programs)
  const program = (name: string, text: string) => {
    writeFileSync(join(programs, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(programs, name), 0o755)
  }
  program('tunless', `exec '${process.execPath}' '${bin}' "$@"`)
  program('npm', 'echo "npm $*" >> "$LOG"')
  program('gh', 'echo "gh $*" >> "$LOG"; for last; do :; done; cat "$last" >> "$LOG"')
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
    }).trim()
  git('init', '-q')
  for (const file of ['policy.hujson', 'netmap.json']) copyFileSync(join(examples, file), join(directory, file))
  git('add', '.')
  git('commit', '-qm', 'base')
  const base = git('rev-parse', 'HEAD')
  const policy = join(directory, 'policy.hujson')
  writeFileSync(policy, change(readFileSync(policy, 'utf8')))
  git('commit', '-qam', 'change')
  return {
    directory,
    base,
    read: file => readFileSync(join(directory, file), 'utf8'),
    async run(script, env = {}) {
      const given = { PATH: `${programs}:${process.env.PATH}`, LOG: join(directory, 'log'), TMPDIR: root, ...env }
      const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], { cwd: directory, env: given })
      const chunks: Buffer[] = []
      for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => chunks.push(chunk))
      const [code] = await once(child, 'close')
      return { code, printed: Buffer.concat(chunks).toString() }
    },
  }
}

const opened = (policy: string) =>
  policy.replace('"ip": ["tcp:22", "tcp:443"]', '"ip": ["tcp:22", "tcp:443", "tcp:8443"]')
const wrong = (policy: string) => policy.replace('"ip": ["tcp:22", "tcp:443"]', '"ip": ["tcp:443"]')
const gain = '| `tag:ci` | `tag:web` | `tcp:8443` |'

/** What was posted to GitLab's API, as it came. */
async function openApi(): Promise<{ url: string; posts: { url: string; token: unknown; body: string }[] }> {
  const posts: { url: string; token: unknown; body: string }[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const body = new URLSearchParams(text).get('body') ?? ''
    posts.push({ url: `${request.method} ${request.url}`, token: request.headers['private-token'], body })
    response.writeHead(201).end('{}')
  })
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v4`, posts }
}

describe.runIf(canRun)('the pipeline for GitLab', () => {
  const envOf = ({ directory, base }: Checkout) => ({
    CI_PROJECT_DIR: directory,
    CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
    CI_PROJECT_ID: '42',
    CI_MERGE_REQUEST_IID: '7',
  })

  it('passes a change whose tests pass, with both reports', async () => {
    const job = checkout(opened)
    const { code, printed } = await job.run(gitlabScript('policy').join('\n'), envOf(job))
    expect([code, printed]).toEqual([0, expect.stringContaining('5 tests: 5 passed')])
    expect(job.read('log')).toBe('npm install --global tunless\n')
    expect(job.read('policy-tests.xml')).toContain('<testsuite name="policy.hujson" tests="5" failures="0"')
    expect(JSON.parse(job.read('policy-quality.json'))).toEqual([])
  })

  it('fails one whose tests fail, with a finding at the test’s line', async () => {
    const job = checkout(wrong)
    const { code } = await job.run(gitlabScript('policy').join('\n'), envOf(job))
    expect(code).toBe(1)
    expect(job.read('policy-tests.xml')).toContain('failures="1"')
    expect(JSON.parse(job.read('policy-quality.json'))).toEqual([
      expect.objectContaining({ location: { path: 'policy.hujson', lines: { begin: 28 } } }),
    ])
  })

  it('comments who gains what, with a token that is in no argument', async () => {
    const job = checkout(opened)
    const api = await openApi()
    const script = gitlabScript('policy-diff').join('\n')
    const env = { ...envOf(job), CI_API_V4_URL: api.url, POLICY_COMMENT_TOKEN: 'glpat-secret' }
    const { code, printed } = await job.run(script, env)
    expect([code, printed]).toEqual([0, expect.not.stringContaining('glpat')])
    expect(job.read('policy-diff.md')).toContain(gain)
    expect(api.posts).toEqual([
      {
        url: 'POST /api/v4/projects/42/merge_requests/7/notes',
        token: 'glpat-secret',
        body: job.read('policy-diff.md'),
      },
    ])
    expect(script).not.toMatch(/--header[ =]"?PRIVATE/)
  })

  it('leaves the artifact where there is no token, and where the policy is new', async () => {
    const job = checkout(opened)
    const script = gitlabScript('policy-diff').join('\n')
    const env = { ...envOf(job), CI_MERGE_REQUEST_DIFF_BASE_SHA: `${job.base}~9` }
    const { code, printed } = await job.run(script, env)
    expect([code, printed]).toEqual([0, expect.stringContaining('#### Gains')])
    expect(job.read('policy-diff.md')).toContain('\n| `tag:web` | `tag:db` | ')
  })
})

describe.runIf(canRun)('the workflow for GitHub', () => {
  const step = (name: string) => githubSteps().get(name) as string

  it('installs, tests, compares and comments', async () => {
    const job = checkout(opened)
    const env = { GITHUB_WORKSPACE: job.directory, BASE: job.base, GITHUB_STEP_SUMMARY: join(job.directory, 'summary') }
    expect([...githubSteps().keys()]).toEqual(['Install', 'Test', 'Compare', 'Comment'])
    for (const name of githubSteps().keys()) {
      const { code, printed } = await job.run(step(name), { ...env, NUMBER: '12' })
      expect([name, code, printed]).toEqual([name, 0, expect.not.stringContaining('::error')])
    }
    expect(job.read('summary')).toBe(job.read('policy-diff.md'))
    expect(job.read('summary')).toContain(gain)
    expect(job.read('log')).toContain('npm install --global tunless\ngh pr comment 12 --edit-last --create-if-none')
    expect(job.read('log')).toContain(gain)
  })

  it('marks the line of a test that fails, and fails', async () => {
    const job = checkout(wrong)
    const { code, printed } = await job.run(step('Test'), { GITHUB_WORKSPACE: job.directory })
    expect(code).toBe(1)
    expect(printed).toMatch(/^::error file=policy\.hujson,line=28,col=5,title=tests\[0\] from tag%3Aci failed::accept/m)
  })

  it('puts nothing of the event into a script', () => {
    for (const script of githubSteps().values()) expect(script).not.toContain('${{')
  })
})
