// A policy at the command: what is refused and how that is said, joining, reloading, the log, tags for names, and the list of peers.
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openGateway, run, saying, start } from './cli-support.js'

const policy = (rules = '{ "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["tcp:7"] }') => `{
  "tagOwners": { "tag:ci": [], "tag:web": [] },
  "grants": [
    ${rules}
  ],
}`

/** A gateway that is tag:web, and a runner's configuration that is tag:ci; an echo server behind port 7. */
async function world() {
  const gateway = await openGateway()
  const { directory, conf } = gateway
  const tagged = readFileSync(conf, 'utf8')
    .replace('[Interface]\n', '[Interface]\nTags = ci\n')
    .replace('[Peer]\n', '[Peer]\nTags = web\n')
    .replace('# Name', 'Name')
  writeFileSync(conf, tagged)
  const file = join(directory, 'policy.hujson')
  writeFileSync(file, policy())
  return { ...gateway, file }
}

describe('nc', () => {
  it('reaches what a rule names, by its tag, and is told which rule is missing for the rest', async () => {
    const { conf, file, directory } = await world()
    const open = await run(['nc', '-c', conf, '--policy', file, 'tag:web', '7'], directory, {}, 'hello')
    expect(open).toMatchObject({ code: 0, stdout: '> hello' })
    const refused = await run(['nc', '-c', conf, '--policy', file, 'tag:web', '8'], directory)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/does not let .* \(tag:ci, .*\) reach .* on tcp:8: no rule allows it.*POLICY_DENIED/)
    const unknown = await run(['nc', '-c', conf, 'tag:db', '7'], directory)
    expect(unknown.stderr).toMatch(/no node has "tag:db".*known tags: .*tag:web.*UNKNOWN_HOST/)
  })

  it('does not start without the policy that it was given', async () => {
    const { conf, directory } = await world()
    const missing = await run(['nc', '-c', conf, '--policy', join(directory, 'none'), 'tag:web', '7'], directory)
    expect(missing).toMatchObject({ code: 2, stdout: '' })
    expect(missing.stderr).toContain('POLICY_UNREADABLE')
    const broken = join(directory, 'broken')
    writeFileSync(broken, '{ "acls": [,] }')
    const invalid = await run(['nc', '-c', conf, '--policy', broken, 'tag:web', '7'], directory)
    expect(invalid.code).toBe(2)
    expect(invalid.stderr).toMatch(/broken:1:\d+: .*POLICY_INVALID/)
    const none = await run(['nc', '-c', conf, '--policy-mode', 'report', 'tag:web', '7'], directory)
    expect(none.code).toBe(2)
  })
})

describe('ping and run', () => {
  it('keep to it, too', async () => {
    const { conf, file, directory } = await world()
    const ping = (host: string) => run(['ping', '-c', conf, '--policy', file, '-c', '1', host], directory)
    expect((await ping('tag:web')).code).toBe(0)
    writeFileSync(file, policy('{ "src": ["tag:web"], "dst": ["tag:ci"], "ip": ["tcp:7"] }'))
    const refused = await ping('tag:web')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/on (ipv6-)?icmp:\*: .*POLICY_DENIED/)])
    const waits = ['run', '-c', conf, '--policy', file, '--wait', 'tag:web:7', 'true']
    const waited = await run(waits, directory)
    expect([waited.code, waited.stderr]).toEqual([125, expect.stringContaining('POLICY_DENIED')])
    writeFileSync(file, policy())
    expect(await run(waits, directory)).toMatchObject({ code: 0 })
  })
})

describe('up', () => {
  it('reloads its policy at SIGHUP, keeps the last good one, and logs each flow with its rule', async () => {
    const { conf, file, directory } = await world()
    const log = join(directory, 'log')
    const up = start(['up', '-c', conf, '--policy', file, '-D', '0', '--connection-log', log], directory)
    const said = await saying(up, /proxy on 127\.0\.0\.1:\d+/)
    const port = Number(/proxy on 127\.0\.0\.1:(\d+)/.exec(said)?.[1])
    const dial = async (to: number) => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      socket.write(`CONNECT web.tag:${to} HTTP/1.1\r\nHost: web.tag:${to}\r\n\r\n`)
      const head = await new Promise<string>(resolve => socket.once('data', data => resolve(String(data))))
      socket.destroy()
      return head.split('\r\n')[0]
    }
    expect(await dial(7)).toBe('HTTP/1.1 200 Connection established')
    expect(await dial(8)).toBe('HTTP/1.1 403 Forbidden')
    writeFileSync(file, '{')
    up.process.kill('SIGHUP')
    await saying(up, /the configuration is not reloaded: .*policy\.hujson:1:.*POLICY_INVALID/)
    expect(await dial(7)).toBe('HTTP/1.1 200 Connection established')
    writeFileSync(file, policy('{ "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["tcp:8"] }'))
    up.process.kill('SIGHUP')
    await saying(up, /is reloaded/)
    expect(await dial(7)).toBe('HTTP/1.1 403 Forbidden')
    up.process.kill('SIGTERM')
    expect(await up.finished).toMatchObject({ code: 0 })
    const lines = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    const flows = lines.filter(({ way }) => way === 'policy')
    expect(flows.find(({ result }) => result === 'allowed')).toMatchObject({
      protocol: 'tcp',
      target: expect.stringMatching(/:7$/),
      flow: {
        direction: 'out',
        sourceTags: ['tag:ci'],
        destinationTags: ['tag:web'],
        rule: `${file}:4`,
        refusal: null,
      },
    })
    expect(flows.find(({ result, target }) => result === 'denied' && target.endsWith(':8'))).toMatchObject({
      error: 'EACCES',
      flow: { rule: null, refusal: 'no-rule', sourceTags: ['tag:ci'] },
    })
    expect(lines.filter(({ way, flow }) => way === 'connect' && flow === null)).toHaveLength(4)
  })

  it('that keeps to no policy is not joined by who wants one', async () => {
    const { conf, file, directory } = await world()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const refused = await run(['nc', '-c', conf, '--policy', file, 'tag:web', '7'], directory)
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/restart it with --policy.*POLICY_NOT_ENFORCED/),
    ])
    up.process.kill('SIGTERM')
    await up.finished
    const other = start(['up', '-c', conf, '--policy', file], directory)
    await saying(other, /the tunnel stands/)
    const joined = await run(['nc', '-c', conf, '--policy', file, 'tag:web', '8'], directory)
    expect(joined.stderr).toMatch(/no rule allows it.*POLICY_DENIED/)
    writeFileSync(file, policy('{ "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["*"] }'))
    const warned = await run(['nc', '-c', conf, '--policy', file, 'tag:web', '8'], directory)
    expect(warned.stderr).toMatch(/keeps to .*policy\.hujson, which is not .*policy\.hujson/)
    expect(warned.stderr).toContain('POLICY_DENIED')
  })
})

describe('peers', () => {
  it('lists who is there, by tag, as JSON and as a table, from a running tunnel', async () => {
    const { conf, directory, tunnel } = await world()
    expect((await run(['peers', '-c', conf], directory)).stderr).toContain('NO_SUCH_TUNNEL')
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const listed = await run(['peers', '-c', conf, '--tag', 'tag:web', '--json'], directory)
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(listed.stdout)).toMatchObject([{ publicKey: tunnel.publicKey, tags: ['tag:web'], live: true }])
    expect((await run(['peers', '--tag', 'web'], directory)).stdout).toMatch(
      /^NAME +TAGS +ADDRESSES +HANDSHAKE\n.*tag:web.* s ago\n$/,
    )
    const none = await run(['peers', '--tag', 'db'], directory)
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/no peer has "tag:db".*tag:web.*UNKNOWN_HOST/)])
  })
})
