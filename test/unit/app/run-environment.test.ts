import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { childEnvironment, findWrappers, wrapped } from '../../../src/app/run-environment.js'

const command = { node: '/usr/bin/node', script: '/opt/tunless/bin.cjs' }
const ways = {
  proxy: { host: '127.0.0.1', port: 4000 },
  credentials: { user: 'ab', password: 'cd' },
  join: '/run/user/7/tunless/run.1-2',
  wrappers: '/opt/tunless/wrappers',
}

describe('the environment of the command', () => {
  it('has proxies in both cases, all of HTTP, and nothing goes around them but this host', () => {
    const env = childEnvironment(
      { PATH: '/usr/bin', http_proxy: 'http://other', NO_PROXY: '*', LANG: 'C' },
      ways,
      command,
    )
    const http = 'http://ab:cd@127.0.0.1:4000'
    expect(env).toEqual({
      LANG: 'C',
      HTTP_PROXY: http,
      HTTPS_PROXY: http,
      ALL_PROXY: http,
      http_proxy: http,
      https_proxy: http,
      all_proxy: http,
      NO_PROXY: 'localhost,127.0.0.1,::1',
      no_proxy: 'localhost,127.0.0.1,::1',
      NODE_USE_ENV_PROXY: '1',
      TUNLESS_SOCKS: 'socks5h://ab:cd@127.0.0.1:4000',
      TUNLESS_JOIN: ways.join,
      PATH: '/opt/tunless/wrappers:/usr/bin',
      TUNLESS_WRAPPERS: ways.wrappers,
      TUNLESS_NODE: command.node,
      TUNLESS_COMMAND: command.script,
    })
  })

  it('has neither the configuration nor the key', () => {
    const env = childEnvironment({ TUNLESS_CONFIG: 'a secret', TUNLESS_PRIVATE_KEY: 'another' }, ways, command)
    expect(JSON.stringify(env)).not.toMatch(/secret|another|TUNLESS_CONFIG|TUNLESS_PRIVATE_KEY/)
  })

  it('has no credentials where none are asked for', () => {
    const env = childEnvironment({}, { ...ways, credentials: undefined }, command)
    expect([env.HTTP_PROXY, env.TUNLESS_SOCKS]).toEqual(['http://127.0.0.1:4000', 'socks5h://127.0.0.1:4000'])
  })

  it('has the wrappers once on PATH, and no others of a run around it', () => {
    const outer = { PATH: '/outer:/usr/bin:/opt/tunless/wrappers:/bin', TUNLESS_WRAPPERS: '/outer', TUNLESS_JOIN: '/o' }
    const env = childEnvironment(outer, ways, command)
    expect(env.PATH).toBe('/opt/tunless/wrappers:/usr/bin:/bin')
    expect(env.TUNLESS_JOIN).toBe(ways.join)
  })

  it('has a PATH where there was none, and an unchanged one without wrappers', () => {
    expect(childEnvironment({}, ways, command).PATH).toBe('/opt/tunless/wrappers:/usr/local/bin:/usr/bin:/bin')
    const env = childEnvironment({ PATH: '/bin' }, { ...ways, wrappers: undefined, join: undefined }, command)
    expect(env.PATH).toBe('/bin')
    expect(Object.keys(env).filter(name => name.startsWith('TUNLESS_'))).toEqual(['TUNLESS_SOCKS'])
  })
})

describe('the wrappers', () => {
  const source = join(import.meta.dirname, '../../../src/wrappers')

  it('are found where they can be executed', () => {
    expect(findWrappers(source)).toEqual({ path: source })
  })

  it('are not used where they cannot, or where PATH cannot name them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunless-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    expect(findWrappers(folder)).toEqual({ reason: expect.stringContaining('ENOENT') })
    cpSync(source, folder, { recursive: true })
    for (const name of wrapped) chmodSync(join(folder, name), 0o644)
    expect(findWrappers(folder)).toEqual({ reason: expect.stringContaining('cannot be executed (EACCES)') })
    const odd = join(folder, 'a:b')
    mkdirSync(odd)
    expect(findWrappers(odd)).toEqual({ reason: expect.stringContaining('has a character') })
  })
})
