import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { bin, filesIn, run, scratch, silentConf } from './cli-support.js'

const hasWg = spawnSync('wg', ['--version']).status === 0

describe('the command', () => {
  it('prints its version and help on stdout and exits with 0', async () => {
    const { version } = JSON.parse(readFileSync(join(bin, '../../package.json'), 'utf8'))
    expect(await run(['-V'], scratch())).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' })
    expect(await run(['--help'], scratch())).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Exit codes:'),
      stderr: '',
    })
  })

  it('survives a reader that leaves early', () => {
    const result = spawnSync('sh', ['-c', `'${process.execPath}' '${bin}' --help | true; echo "$?"`], {
      encoding: 'utf8',
    })
    expect(result.stderr).toBe('')
  })

  it.each([
    ['no command', [], 2, /Commands:/],
    ['an unknown command', ['upp'], 2, /^tunless: unknown command 'upp'/],
    ['no configuration', ['up'], 2, /^tunless: no configuration: give -c FILE, or set TUNLESS_CONFIG \(USAGE\)\n$/],
    [
      'a missing file',
      ['up', '-c', '/nonexistent'],
      2,
      /^tunless: cannot read \/nonexistent: there is no such file \(CONFIG_UNREADABLE\)\n$/,
    ],
    ['nc with its configuration on stdin', ['nc', '-c', '-', 'web1', '22'], 2, /^tunless: -c - cannot be used here/],
  ])('says what is wrong with %s on stderr alone', async (_what, args, code, message) => {
    expect(await run(args, scratch())).toEqual({
      code,
      signal: null,
      stdout: '',
      stderr: expect.stringMatching(message),
    })
  })

  it('names file, line, thing and remedy of a bad configuration, and no key', async () => {
    const directory = scratch()
    const path = join(directory, 'bad.conf')
    const secret = (await run(['genkey'], directory)).stdout.trim()
    writeFileSync(path, `[Interface]\nPrivateKey = ${secret}A\nAddress = 10.7.0.2\n`, { mode: 0o600 })
    const { code, stderr } = await run(['up', '-c', path], directory)
    expect(code).toBe(2)
    expect(stderr).toBe(
      `tunless: ${path}:2: PrivateKey: the key has 45 characters: a key is 44 characters of base64, as \`wg genkey\` and \`wg pubkey\` print it (CONFIG_INVALID)\n`,
    )
  })

  it('takes the configuration from stdin', async () => {
    const { code, stderr } = await run(['up', '-c', '-'], scratch(), {}, '[Interface]\nAdress = 10.7.0.2\n')
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("stdin:2: unknown key 'Adress' under [Interface]: did you mean Address?"),
    ])
  })

  it('refuses a proxy that other hosts could reach', async () => {
    const directory = scratch()
    const { code, stderr } = await run(['up', '-c', silentConf(directory), '-D', '0.0.0.0:0'], directory)
    expect([code, stderr]).toEqual([2, expect.stringContaining('(PROXY_NOT_LOOPBACK)')])
    expect(filesIn(directory)).toEqual(['silent.conf'])
  })

  it('says so in one line where Node is too old, in words that Node 12 can parse', () => {
    const source = readFileSync(bin, 'utf8')
    const lower = (target: string) => transformSync(source, { target, supported: { 'dynamic-import': true } }).code
    expect(lower('es2019')).toBe(lower('esnext'))
    for (const version of ['12.22.12', '18.20.0', '20.18.3']) {
      const script = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } })
        Object.defineProperty(process, 'version', { value: 'v${version}' })
        require(process.argv[1])`
      const { status, stderr } = spawnSync(process.execPath, ['-e', script, bin], { encoding: 'utf8' })
      expect([status, stderr]).toEqual([1, `tunless: Node.js 20.19 or newer is needed; this is v${version}\n`])
    }
  })
})

describe('keys', () => {
  it('are what wg would print', async () => {
    const { stdout: key, stderr, code } = await run(['genkey'], scratch())
    expect([code, stderr]).toEqual([0, ''])
    expect(key).toMatch(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n$/)
    expect((await run(['genpsk'], scratch())).stdout).toMatch(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n$/)
    expect((await run(['pubkey'], scratch(), {}, key)).stdout).toMatch(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n$/)
  })

  it.runIf(hasWg)('are understood by wg, and its by us', async () => {
    const key = execFileSync('wg', ['genkey'], { encoding: 'utf8' })
    const expected = execFileSync('wg', ['pubkey'], { input: key, encoding: 'utf8' })
    expect((await run(['pubkey'], scratch(), {}, key)).stdout).toBe(expected)
    expect((await run(['pubkey'], scratch(), {}, key.trim())).stdout).toBe(expected)
  })

  it.runIf(hasWg).each(['', 'x\n', 'a'.repeat(44), ' ', '\n\n', 'A'.repeat(43)])(
    'are refused as by wg: %j',
    async input => {
      const wg = spawnSync('wg', ['pubkey'], { input, encoding: 'utf8' })
      expect(await run(['pubkey'], scratch(), {}, input)).toEqual({
        code: wg.status,
        signal: null,
        stdout: wg.stdout,
        stderr: wg.stderr.replace('wg:', 'tunless:'),
      })
    },
  )
})

describe('init', () => {
  it.runIf(hasWg)('prints a pair that tunless reads, and a gateway that wg reads', async () => {
    const directory = scratch()
    expect((await run(['init', '--endpoint', '127.0.0.1:9', '--dir', directory], directory)).code).toBe(0)
    expect(filesIn(directory)).toEqual(['gateway.conf', 'runner.conf'])
    const { stderr } = spawnSync('wg-quick', ['strip', join(directory, 'gateway.conf')], { encoding: 'utf8' })
    expect(stderr).toBe('')
    const { code, stderr: said } = await run(
      ['up', '-c', join(directory, 'runner.conf'), '--timeout', '100ms'],
      directory,
    )
    expect([code, said]).toEqual([1, expect.stringContaining('(HANDSHAKE_TIMEOUT)')])
  })
})
