import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { encodeKey } from '../../../src/core/base/base64.js'
import { loadConfig } from '../../../src/node/load-config.js'

const folder = mkdtempSync(join(tmpdir(), 'tunless-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const key = encodeKey(new Uint8Array(32).fill(0x55))
const text = `[Interface]\nPrivateKey = ${key}\nAddress = 10.7.0.2/32\n[Peer]\nPublicKey = ${encodeKey(new Uint8Array(32).fill(2))}\nAllowedIPs = 10.7.0.0/24\n`
const path = join(folder, 'test.conf')
writeFileSync(path, text, { mode: 0o600 })
const load = (source: Parameters<typeof loadConfig>[0]) => {
  const warnings: string[] = []
  return loadConfig(source, message => warnings.push(message)).then(config => ({ config, warnings }))
}

describe('a configuration', () => {
  it('is a path, a file: URL, text, or parsed already', async () => {
    for (const source of [path, pathToFileURL(path), { text }]) {
      const { config, warnings } = await load(source)
      expect(config.peers).toHaveLength(1)
      expect(warnings).toEqual([])
      expect((await load(config)).config).toBe(config)
    }
    expect((await load(path)).config.source).toBe(path)
    expect((await load({ text, name: 'from vault' })).config.source).toBe('from vault')
  })

  it('that others can read is warned about', async () => {
    chmodSync(path, 0o644)
    const { warnings } = await load(path)
    chmodSync(path, 0o600)
    expect(warnings).toEqual([`${path} can be read by others (mode 644): chmod 600 ${path}`])
  })

  it.skipIf(process.getuid?.() !== 0)(
    'of another user that its group can read is not: so secrets are handed over',
    async () => {
      chownSync(path, 65534, 0)
      for (const [mode, count] of [
        [0o440, 0],
        [0o444, 1],
      ] as const) {
        chmodSync(path, mode)
        expect((await load(path)).warnings).toHaveLength(count)
      }
      chmodSync(path, 0o600)
      chownSync(path, 0, 0)
    },
  )

  it.each([
    ['missing', join(folder, 'none.conf'), 'there is no such file'],
    ['a directory', folder, 'it is a directory'],
    ['endless', '/dev/zero', 'longer than'],
  ])('%s is CONFIG_UNREADABLE with the reason', (_name, source, reason) =>
    expect(load(source)).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringContaining(reason),
    }),
  )

  it.each([undefined, null, 5])('that is %s is USAGE, and says what was expected', source =>
    expect(load(source as never)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('{ text }'),
    }),
  )

  it('may be base64 of the text, as TUNLESS_CONFIG may', async () => {
    const base64 = Buffer.from(text).toString('base64')
    expect((await load({ text: base64 })).config.peers).toHaveLength(1)
    expect((await load({ text: `${base64.slice(0, 76)}\n${base64.slice(76)}\n` })).config.peers).toHaveLength(1)
  })

  it('whose text is not there, such as a variable that is not set, is USAGE', () =>
    expect(load({ text: undefined } as never)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/text.*undefined.*variable/),
    }))

  it('may stand in a folder whose name has brackets', async () => {
    const bracketed = join(folder, '[group] x.conf')
    writeFileSync(bracketed, text, { mode: 0o600 })
    expect((await load(bracketed)).config.source).toBe(bracketed)
  })

  it('passed as text where a path belongs shows its key in no message', async () => {
    const error = await load(text).catch(error => error)
    expect(error.code).toBe('CONFIG_UNREADABLE')
    expect(error.message).toContain('pass it as { text }')
    expect(error.message).not.toContain(key)
  })
})
