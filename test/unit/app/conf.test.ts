import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ConfOptions, type ConfSources, readConf } from '../../../src/app/conf.js'
import { encodeKey } from '../../../src/core/base/base64.js'
import { textOf } from '../../../src/node/load-config.js'

const key = (byte: number) => encodeKey(new Uint8Array(32).fill(byte))

function conf({ name = 'own', privateKey = key(1) as string | undefined } = {}): string {
  const own = privateKey === undefined ? [] : [`PrivateKey = ${privateKey}`]
  return ['[Interface]', `# Name = ${name}`, ...own, 'Address = 10.7.0.2', '[Peer]', `PublicKey = ${key(2)}`, ''].join(
    '\n',
  )
}

function file(text: string, mode = 0o600): string {
  const directory = mkdtempSync(join(tmpdir(), 'tunless-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'a file')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

async function read(options: ConfOptions, sources: Partial<ConfSources> = {}) {
  const warnings: string[] = []
  const config = await readConf(options, {
    env: {},
    readStdin: undefined,
    warn: text => warnings.push(text),
    ...sources,
  })
  const { name, privateKey } = config.interface
  return { name, key: encodeKey(privateKey), source: config.source, warnings }
}

async function failure(
  options: ConfOptions,
  sources: Partial<ConfSources> = {},
): Promise<{ code: string; message: string }> {
  return read(options, sources).then(
    () => expect.unreachable(),
    ({ code, message }) => ({ code, message }),
  )
}

describe('the configuration', () => {
  it('comes from -c before TUNLESS_CONFIG', async () => {
    const path = file(conf({ name: 'file' }))
    expect(await read({ file: path }, { env: { TUNLESS_CONFIG: conf({ name: 'env' }) } })).toMatchObject({
      name: 'file',
      source: path,
    })
  })

  it.each([
    ['its text', (text: string) => text, 'TUNLESS_CONFIG'],
    ['its text with CRLF and a BOM', (text: string) => `\ufeff${text.replaceAll('\n', '\r\n')}`, 'TUNLESS_CONFIG'],
    ['its text in base64', (text: string) => Buffer.from(text).toString('base64'), 'TUNLESS_CONFIG'],
    [
      'its text in base64 with line breaks',
      (text: string) => Buffer.from(text).toString('base64').replace(/.{76}/g, '$&\n'),
      'TUNLESS_CONFIG',
    ],
    ['a path', (text: string) => file(text), expect.stringContaining('/a file')],
  ])('comes from TUNLESS_CONFIG as %s', async (_what, form, source) => {
    const env = { TUNLESS_CONFIG: form(conf({ name: 'env' })) }
    expect(await read({}, { env })).toMatchObject({ name: 'env', source })
  })

  it('comes from stdin with -c -', async () => {
    expect(await read({ file: '-' }, { readStdin: async () => conf({ name: 'piped' }) })).toMatchObject({
      name: 'piped',
      source: 'stdin',
    })
  })

  it('cannot come from a stdin that carries the connection', async () => {
    expect(await failure({ file: '-' })).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('-c - cannot be used here'),
    })
  })

  it.each([{}, { TUNLESS_CONFIG: '' }])('is asked for where there is none (%j)', async env => {
    expect(await failure({}, { env })).toEqual({
      code: 'USAGE',
      message: 'no configuration: give -c FILE, or set TUNLESS_CONFIG',
    })
  })

  it('needs a [Peer], unless peers may come later', async () => {
    const [empty] = conf().split('[Peer]')
    const path = file(empty as string)
    expect(await failure({ file: path })).toEqual({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/no \[Peer\] section: add one with .* --name or --uapi/),
    })
    expect(await read({ file: path }, { peersMayCome: true })).toMatchObject({ key: key(1), warnings: [] })
  })

  it('is unreadable where there is no such file', async () => {
    expect(await failure({ file: '/nonexistent/a.conf' })).toEqual({
      code: 'CONFIG_UNREADABLE',
      message: 'cannot read /nonexistent/a.conf: there is no such file',
    })
  })

  it('is warned of where others can read it', async () => {
    const { warnings } = await read({ file: file(conf(), 0o644) })
    expect(warnings).toEqual([expect.stringMatching(/can be read by others \(mode 644\): chmod 600 /)])
  })

  it('keeps file and line in its errors', async () => {
    expect(await failure({}, { env: { TUNLESS_CONFIG: conf().replace('10.7.0.2', '10.7') } })).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^TUNLESS_CONFIG:4: Address: /),
    })
  })

  it.each([
    ['its text as -c', () => ({ options: { file: conf() } })],
    ['its text in base64 as -c', () => ({ options: { file: Buffer.from(conf()).toString('base64') } })],
    ['a text without sections as -c', () => ({ options: { file: `PrivateKey = ${key(1)}\nAddress = 10.7.0.2` } })],
    ['a text with misspelt sections', () => ({ env: { TUNLESS_CONFIG: conf().replaceAll('[', '(') } })],
    ['damaged base64', () => ({ env: { TUNLESS_CONFIG: `%${Buffer.from(conf()).toString('base64')}` } })],
    ['half of the base64', () => ({ env: { TUNLESS_CONFIG: Buffer.from(conf()).toString('base64').slice(30) } })],
    ['a key as --private-key-file', () => ({ options: { privateKeyFile: key(1) }, env: { TUNLESS_CONFIG: conf() } })],
  ])('is not shown where it was given as %s', async (_what, given) => {
    const { options = {}, env = {} } = given() as { options?: ConfOptions; env?: Record<string, string> }
    const { message } = await failure(options, { env })
    expect(message).not.toContain(key(1).slice(0, 12))
    expect(message).not.toContain(Buffer.from(conf()).toString('base64').slice(40, 60))
  })
})

describe('the private key', () => {
  const bare = { TUNLESS_CONFIG: conf({ privateKey: undefined as never }).replace(/PrivateKey.*\n/, '') }

  it("is the configuration's own before TUNLESS_PRIVATE_KEY", async () => {
    const env = { TUNLESS_CONFIG: conf(), TUNLESS_PRIVATE_KEY: key(5) }
    expect(await read({}, { env })).toMatchObject({ key: key(1) })
  })

  it('fills a configuration without one, from a file before the environment', async () => {
    const env = { ...bare, TUNLESS_PRIVATE_KEY: `${key(5)}\n` }
    expect(await read({}, { env })).toMatchObject({ key: key(5) })
    expect(await read({ privateKeyFile: file(`${key(6)}\n`) }, { env })).toMatchObject({ key: key(6) })
  })

  it('may stand in both the configuration and the file, if it is the same', async () => {
    expect(await read({ privateKeyFile: file(key(1)) }, { env: { TUNLESS_CONFIG: conf() } })).toMatchObject({
      key: key(1),
    })
    expect(await failure({ privateKeyFile: file(key(6)) }, { env: { TUNLESS_CONFIG: conf() } })).toMatchObject({
      code: 'USAGE',
    })
  })

  it('is asked for where there is none', async () => {
    expect(await failure({}, { env: bare })).toEqual({
      code: 'CONFIG_NO_PRIVATE_KEY',
      message: 'TUNLESS_CONFIG has no PrivateKey: add it, set TUNLESS_PRIVATE_KEY, or pass --private-key-file',
    })
  })

  it.each(['', 'x', `${key(1)}A`, `${key(1)}\nPostUp = reboot`, key(1).slice(1)])(
    'is refused as %j, without showing it',
    async text => {
      const path = file(text)
      expect(await failure({ privateKeyFile: path }, { env: bare })).toEqual({
        code: 'CONFIG_INVALID',
        message: `${path}: not a private key: it must be 44 characters of base64, as \`tunless genkey\` prints it`,
      })
    },
  )

  it('is warned of where others can read its file', async () => {
    const { warnings } = await read({ privateKeyFile: file(key(6), 0o640) }, { env: bare })
    expect(warnings).toHaveLength(1)
  })
})

describe('a value of TUNLESS_CONFIG', () => {
  it.each(['deploy.conf', '/etc/wireguard/wg0.conf', '/etc/wireguard/wg0', 'C:\\wg.conf', 'abcd'])(
    'is a path: %s',
    value => {
      expect(textOf(value)).toBeUndefined()
    },
  )
})
