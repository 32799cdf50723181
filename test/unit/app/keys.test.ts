import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createPair, init } from '../../../src/app/init.js'
import { keyProblem, newKey, newPrivateKey } from '../../../src/app/keys.js'
import { encodeKey } from '../../../src/core/base/base64.js'
import { formatConfig, parseConfig } from '../../../src/core/config/config.js'

describe('a new key', () => {
  it('is clamped where it is private, and never the same', () => {
    for (let i = 0; i < 50; i++) {
      const key = newPrivateKey()
      expect([(key[0] as number) & 7, (key[31] as number) & 0xc0]).toEqual([0, 0x40])
    }
    expect(newKey()).not.toEqual(newKey())
  })
})

describe('the input of pubkey', () => {
  const key = encodeKey(newPrivateKey())
  const length = 'Key is not the correct length or format'
  const trailing = 'Trailing characters found after key'

  it.each([
    ['a key', key, undefined],
    ['a key and a newline', `${key}\n`, undefined],
    ['a key and white space', `${key} \t\r\n\n`, undefined],
    ['nothing', '', length],
    ['a short key', key.slice(1), length],
    ['no base64', '!'.repeat(44), length],
    ['a key that is not canonical', `${key.slice(0, 42)}B=`, length],
    ['a leading space', ` ${key}`, trailing],
    ['two keys', `${key}\n${key}`, trailing],
  ])('may be %s or is refused as wg refuses it', (_what, text, problem) => {
    expect(keyProblem(text)).toBe(problem)
  })
})

describe('init', () => {
  it("makes two configurations that are each other's peer", () => {
    const { gateway, runner } = createPair({ host: 'vpn.example.com', port: 51820 }, newPrivateKey(), newPrivateKey())
    const gatewayConf = parseConfig(formatConfig(gateway), 'gateway.conf')
    const runnerConf = parseConfig(formatConfig(runner), 'runner.conf')
    expect(gatewayConf.interface.listenPort).toBe(51820)
    expect(runnerConf.peers[0]?.endpoint).toEqual({ host: 'vpn.example.com', port: 51820 })
    expect(runnerConf.peers[0]?.addresses).toEqual(gatewayConf.interface.addresses.map(prefix => prefix.address))
    expect(gatewayConf.peers[0]?.addresses).toEqual(runnerConf.interface.addresses.map(prefix => prefix.address))
    expect(gatewayConf.notes).toEqual([])
  })

  it('makes a gateway conf of which wg-quick keeps nothing that it does not know', () => {
    const { gateway } = createPair({ host: '192.0.2.1', port: 51820 }, newPrivateKey(), newPrivateKey())
    const known = /^(\[Interface\]|\[Peer\]|(PrivateKey|Address|ListenPort|PublicKey|AllowedIPs) = .*|)$/
    for (const line of formatConfig(gateway)
      .split('\n')
      .filter(text => !text.startsWith('#')))
      expect(line).toMatch(known)
  })

  it('writes files that only their owner reads, and never over others', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tunless-test-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    onTestFinished(() => stderr.mockRestore())
    const options = { endpoint: { host: 'a', port: 1 }, directory: join(directory, 'new') }
    await init(options)
    for (const name of ['gateway.conf', 'runner.conf']) {
      expect(statSync(join(directory, 'new', name)).mode & 0o777).toBe(0o600)
      expect(parseConfig(readFileSync(join(directory, 'new', name), 'utf8'), name).peers).toHaveLength(1)
    }
    await expect(init(options)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('it is there already'),
    })
    expect(readdirSync(join(directory, 'new'))).toHaveLength(2)
  })
})
