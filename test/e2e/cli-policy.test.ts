// `tunless policy`, run as a team and its pipelines run it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bin, openGateway, run, scratch } from './cli-support.js'

const examples = join(import.meta.dirname, '../../examples/policy')
const policy = join(examples, 'policy.hujson')
const netmap = join(examples, 'netmap.json')

const sound = `{
  "tagOwners": { "tag:ci": [], "tag:web": [], "tag:db": [] },
  "grants": [
    { "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["tcp:22"] },
    { "src": ["autogroup:admin"], "dst": ["tag:db"], "ip": ["*"] },
  ],
  "tests": [
    { "src": "tag:ci", "accept": ["tag:web:22"], "deny": ["tag:db:22"] },
    TEST
  ],
}
`
const failing = '{ "src": "tag:ci", "accept": ["tag:db:5432"] },'
const undecided = '{ "src": "alice@example.com", "deny": ["tag:db:5432"] },'
const broken = `{ "grants": [
  { "src": ["tag:ci"], "dst": ["*"], "ip": ["ssh"] },
] }`

/** A directory with this policy in it. */
function given(text: string): { directory: string; file: string } {
  const directory = scratch()
  const file = join(directory, 'p.hujson')
  writeFileSync(file, text)
  return { directory, file }
}

describe('policy check', () => {
  it('is silent on stdout, and sums up', async () => {
    expect(await run(['policy', 'check', '--netmap', netmap, policy], scratch())).toEqual({
      code: 0,
      signal: null,
      stdout: '',
      stderr: `${policy}: 5 rules, 5 tests: no errors, no warnings\n`,
    })
  })

  it('says what is wrong at its place and exits with 2, as an editor reads it', async () => {
    const { directory, file } = given(broken)
    const { code, stdout, stderr } = await run(['policy', 'check', file], directory)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(`^${file}:2:13: error: "tag:ci" .*tagOwners`),
      expect.stringMatching(`^${file}:2:45: error: .*22`),
      expect.stringMatching(`^${file}: .*: 2 errors, no warnings$`),
      '',
    ])
  })

  it('reads stdin, a byte order mark, and several files', async () => {
    const { directory, file } = given(`\ufeff${sound.replace('TEST', '')}`)
    const { code, stderr } = await run(['policy', 'check', file, '-'], directory, {}, broken)
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^${file}:5:15: warning: `, 'm'))
    expect(stderr).toMatch(/^stdin:2:13: error: /m)
    expect(stderr).toMatch(/^2 files: .*: 2 errors, 1 warning$/m)
  })

  it('prints JSON for programs', async () => {
    const { directory, file } = given(broken)
    const { code, stdout, stderr } = await run(['policy', 'check', '--json', file], directory)
    expect([code, stderr]).toEqual([2, ''])
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      exitCode: 2,
      files: [{ file, diagnostics: [{ file, line: 2, column: 13, severity: 'error', code: 'undefined-name' }, {}] }],
      netmap: [],
    })
  })

  it('checks a netmap against it: a tag without an owner has a place too', async () => {
    const { directory, file } = given(sound.replace('TEST', ''))
    const { code, stderr } = await run(['policy', 'check', '--netmap', netmap, file], directory)
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^${netmap}:\\d+:5: error: gateway has tag:gateway`, 'm'))
  })

  it('says no more of roles where the netmap gives them', async () => {
    const { directory, file } = given(sound.replace('TEST', ''))
    const who = join(directory, 'who.json')
    const nodes = (roles: string) =>
      `{ "nodes": [{ "name": "a", "addresses": ["10.7.0.9"], "user": "a@b.c"${roles} }] }`
    writeFileSync(who, nodes(''))
    const before = await run(['policy', 'check', '--netmap', who, file], directory)
    expect([before.code, before.stderr]).toEqual([
      0,
      expect.stringContaining(':5:15: warning: "autogroup:admin" cannot'),
    ])
    writeFileSync(who, nodes(', "roles": ["admin"]'))
    const { code, stderr } = await run(['policy', 'check', '--netmap', who, file], directory)
    expect([code, stderr]).toEqual([0, expect.stringMatching(/: no errors, no warnings\n$/)])
  })

  it('takes the peers of a configuration for a netmap', async () => {
    const { directory, file } = given(sound.replace('TEST', ''))
    const conf = join(directory, 'c.conf')
    const key = (await run(['genkey'], directory)).stdout.trim()
    const peer = `[Peer]\nPublicKey = ${key}\nAllowedIPs = 10.7.0.9/32\nName = web1\nTags = tag:webb\n`
    writeFileSync(conf, `[Interface]\nAddress = 10.7.0.2/24\nTags = tag:ci\n${peer}`, { mode: 0o600 })
    const { code, stderr } = await run(['policy', 'check', '-c', conf, file], directory)
    expect([code, stderr]).toEqual([2, expect.stringMatching(`${conf}: error: web1 has tag:webb`)])
  })
})

describe('policy test', () => {
  it('passes on the example, by name and with its netmap', async () => {
    for (const args of [[policy], ['--netmap', netmap, policy]]) {
      const { code, stdout, stderr } = await run(['policy', 'test', ...args], scratch())
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(/\n5 tests: 5 passed\n$/)
    }
  })

  it('exits with 1 for one that failed, with its place and the reason', async () => {
    const { directory, file } = given(sound.replace('TEST', failing))
    const { code, stdout } = await run(['policy', 'test', file], directory)
    expect(code).toBe(1)
    expect(stdout.split('\n')).toEqual([
      `ok         ${file}:8:5: tests[0] from tag:ci`,
      `failed     ${file}:9:5: tests[1] from tag:ci`,
      expect.stringContaining('accept tag:db:5432: no rule allows'),
      '2 tests: 1 passed, 1 failed',
      '',
    ])
  })

  it('exits with 1 for one that is undecided, unless that is allowed', async () => {
    const { directory, file } = given(sound.replace('TEST', undecided))
    const { code, stdout } = await run(['policy', 'test', file], directory)
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^undecided .*\n.*line 5.*\n2 tests: 1 passed, 1 und/m)])
    expect((await run(['policy', 'test', '--allow-undecided', file], directory)).code).toBe(0)
  })

  it('exits with 2 for a file that cannot be used, and reports that too', async () => {
    const { directory, file } = given(broken)
    const { code, stdout, stderr } = await run(['policy', 'test', '--format', 'junit', file], directory)
    expect(code).toBe(2)
    expect(stdout).toContain('<error type="invalid"')
    expect(stderr).toMatch(/:2:13: error: /)
    const missing = await run(['policy', 'test', join(directory, 'none')], directory)
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('(POLICY_UNREADABLE)')])
  })

  it('writes several reports in one run, with paths from the root of the checkout', async () => {
    const { directory, file } = given(sound.replace('TEST', failing))
    const [xml, json] = [join(directory, 't.xml'), join(directory, 'q.json')]
    const formats = ['--format', `junit=${xml}`, '--format', `gitlab=${json}`, '--format', 'github']
    const env = { CI_PROJECT_DIR: directory }
    const { code, stdout } = await run(['policy', 'test', ...formats, file], directory, env)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^2 tests: 1 passed, 1 failed$/m)
    expect(stdout).toMatch(/^::error file=p\.hujson,line=9,col=5,title=tests\[1\] from tag%3Aci failed::accept/m)
    expect(readFileSync(xml, 'utf8')).toContain('classname="p.hujson"')
    expect(JSON.parse(readFileSync(json, 'utf8')).at(-1)).toMatchObject({ location: { path: 'p.hujson' } })
  })

  it('says so where a report cannot be written, or two want stdout', async () => {
    const args = ['policy', 'test', policy, '--format', 'junit']
    const twice = await run([...args, '--format', 'json'], scratch())
    expect([twice.code, twice.stderr]).toEqual([
      2,
      expect.stringMatching(/^tunless: --format: one goes to stdout.*USAGE/),
    ])
    const nowhere = await run(['policy', 'test', policy, '--format', 'junit=/nonexistent/x'], scratch())
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining('(REPORT_FAILED)')])
  })

  it('warns of a file without tests', async () => {
    const { directory, file } = given('{ "grants": [] }')
    const { code, stdout, stderr } = await run(['policy', 'test', file], directory)
    expect([code, stdout, stderr]).toEqual([0, '0 tests: 0 passed\n', `${file}: warning: it has no tests\n`])
  })
})

describe('policy explain', () => {
  const ask = (source: string, destination: string, ...more: string[]) =>
    run(['policy', 'explain', '--src', source, '--dst', destination, ...more], scratch())

  it('names the line that allows it, and exits with 0', async () => {
    expect(await ask('tag:ci', 'tag:web:22', policy)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^allowed: .*\n {2}.*policy\.hujson:20:5: \{ "src": \["tag:ci"\]/),
      stderr: '',
    })
  })

  it('exits with 1 where none does, and with 2 where nobody can say', async () => {
    expect(await ask('tag:ci', 'tag:db:22', policy)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^denied: /),
    })
    const { file } = given(sound.replace('TEST', ''))
    expect(await ask('alice@example.com', 'tag:db:22', file)).toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/^undecided: .*line 5/),
    })
  })

  it('exits with 2 for a question or a file that cannot be used', async () => {
    expect(await ask('tag:cy', 'tag:db:22', policy)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('did you mean "tag:ci"? (USAGE)'),
    })
    expect(await ask('tag:ci', 'tag:db', policy)).toMatchObject({ code: 2, stderr: expect.stringContaining('(USAGE)') })
    const { file } = given(broken)
    expect(await ask('tag:ci', 'tag:db:1', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('(POLICY_INVALID)'),
    })
    expect(await run(['policy', 'explain', policy], scratch())).toMatchObject({ code: 2, stdout: '' })
  })

  it('knows nodes by name with a netmap, protocols, and JSON', async () => {
    const { code, stdout } = await ask(
      'runner',
      'web2.corp.example:0',
      '--proto',
      'icmp',
      '--netmap',
      netmap,
      '--json',
      policy,
    )
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'allowed', exitCode: 0, rules: [{ file: policy, line: 20 }] })
  })
})

describe('policy diff', () => {
  const changed = sound.replace('TEST', '').replace('tcp:22', 'tcp:443')

  it('says in Markdown who gains and who loses', async () => {
    const { directory, file } = given(changed)
    const { code, stdout } = await run(['policy', 'diff', '-', file], directory, {}, sound.replace('TEST', ''))
    expect(code).toBe(0)
    expect(stdout).toContain(
      '#### Gains\n\n| Who | may now reach | on |\n| --- | --- | --- |\n| `tag:ci` | `tag:web` | `tcp:443` |',
    )
    expect(stdout).toContain(
      '#### Losses\n\n| Who | may no longer reach | on |\n| --- | --- | --- |\n| `tag:ci` | `tag:web` | `tcp:22` |',
    )
  })

  it('exits with 1 for a difference only where that is asked for', async () => {
    const { directory, file } = given(changed)
    const diff = (...args: string[]) => run(['policy', 'diff', ...args], directory, {}, sound.replace('TEST', ''))
    expect((await diff('--exit-code', '-', file)).code).toBe(1)
    expect(await diff('--exit-code', file, file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nobody gains or loses access.'),
    })
    expect(JSON.parse((await diff('--json', '-', file)).stdout)).toMatchObject({
      differs: true,
      gains: [{ source: 'tag:ci', destination: 'tag:web', ports: ['tcp:443'] }],
    })
    expect((await diff('-', '-')).stderr).toContain('- stands twice')
  })
})

describe('policy suggest', () => {
  const entry = {
    time: '2026-01-02T03:04:05.000Z',
    way: 'policy',
    protocol: 'tcp',
    client: '10.7.0.2:40000',
    target: '10.7.0.11:8443',
    result: 'reported',
    flow: {
      sourceNode: 'runner',
      sourceTags: ['tag:ci'],
      destinationNode: 'web1',
      destinationTags: ['tag:web'],
      refusal: 'no-rule',
      count: 2,
    },
  }

  it('prints rules that a policy takes, and that allow what was refused', async () => {
    const { code, stdout, stderr } = await run(
      ['policy', 'suggest', '-'],
      scratch(),
      {},
      `${JSON.stringify(entry)}\nup\n`,
    )
    expect([code, stderr]).toEqual([0, '1 line left out: no entry of a connection log\n'])
    expect(stdout).toContain('    // 2 refusals, the last at 2026-01-02T03:04:05.000Z: runner to web1\n')
    const rule = '{ "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["tcp:8443"] },'
    expect(stdout).toContain(`    ${rule}\n`)
    const { directory, file } = given(readFileSync(policy, 'utf8').replace('"grants": [', `"grants": [\n${rule}`))
    const args = ['policy', 'explain', '--src', 'tag:ci', '--dst', 'tag:web:8443']
    expect((await run([...args, policy], directory)).code).toBe(1)
    expect((await run([...args, file], directory)).code).toBe(0)
  })

  it('turns the log of a job in report mode into the policy that the job needs', async () => {
    const { conf, directory } = await openGateway()
    const tagged = readFileSync(conf, 'utf8')
      .replace('[Interface]\n', '[Interface]\nTags = ci\n')
      .replace('[Peer]\n', '[Peer]\nTags = web\n')
    writeFileSync(conf, tagged)
    const [file, log] = [join(directory, 'p.hujson'), join(directory, 'log')]
    const withGrants = (grants: string) => `{ "tagOwners": { "tag:ci": [], "tag:web": [] }, "grants": ${grants} }`
    writeFileSync(file, withGrants('[]'))
    const report = ['--policy-mode', 'report', '--connection-log', log]
    const nc = ['nc', '-c', conf, '--policy', file, 'tag:web', '7']
    expect((await run(nc, directory, {}, 'hello')).stderr).toContain('POLICY_DENIED')
    const job = ['run', '-c', conf, '--policy', file, ...report, process.execPath, bin, 'nc', 'tag:web', '7']
    expect(await run(job, directory, {}, 'hello')).toMatchObject({ code: 0, stdout: '> hello' })
    const { code, stdout } = await run(['policy', 'suggest', '--json', '--policy', file, log], directory)
    expect(code).toBe(0)
    const { grants } = JSON.parse(stdout)
    expect(grants).toMatchObject([{ src: ['tag:ci'], dst: ['tag:web'], ip: ['tcp:7'], count: 1 }])
    writeFileSync(
      file,
      withGrants(JSON.stringify(grants.map(({ src, dst, ip }: Record<string, string[]>) => ({ src, dst, ip })))),
    )
    expect(await run(nc, directory, {}, 'hello')).toMatchObject({ code: 0, stdout: '> hello' })
  })

  it('leaves out what the policy allows by now, and is no error without anything to say', async () => {
    const { directory, file } = given(JSON.stringify({ ...entry, target: '10.7.0.11:443' }))
    const { code, stdout, stderr } = await run(['policy', 'suggest', '--policy', policy, file], directory)
    expect([code, stdout]).toEqual([0, '// Nothing was refused for want of a rule.\n{ "grants": [] }\n'])
    expect(stderr).toBe('1 refused flow left out: the policy allows it by now\n')
  })

  it('says which log cannot be read', async () => {
    const { code, stderr } = await run(['policy', 'suggest', '/nonexistent'], scratch())
    expect([code, stderr]).toEqual([
      1,
      'tunless: cannot read the connection log /nonexistent: there is no such file (LOG_FAILED)\n',
    ])
  })
})
