import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeReady } from '../../../src/app/describe.js'
import { createLog, type LogLevel } from '../../../src/app/log.js'
import { createProgress } from '../../../src/app/progress.js'
import { clearReadyFile, type ReadyReport, removeReadyFile, writeReadyFile } from '../../../src/app/ready-file.js'
import { TunnelError } from '../../../src/errors.js'
import { explainDial } from '../../../src/node/target-error.js'

function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'tunless-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

describe('the log', () => {
  it.each<[LogLevel, string[]]>([
    ['quiet', ['tunless: e\n']],
    ['normal', ['tunless: e\n', 'tunless: warning: w\n', 'tunless: i\n']],
    ['verbose', ['tunless: e\n', 'tunless: warning: w\n', 'tunless: i\n', 'tunless: d\n']],
  ])('says when %s what belongs there', (level, expected) => {
    const said: string[] = []
    const log = createLog(level, text => said.push(text))
    log.error('e')
    log.warn('w')
    log.info('i')
    log.debug('d')
    expect(said).toEqual(expected)
  })

  it('marks every line as its own', () => {
    const said: string[] = []
    createLog('normal', text => said.push(text)).error('one\ntwo')
    expect(said).toEqual(['tunless: one\ntunless: two\n'])
  })
})

describe('the ready file', () => {
  const report: ReadyReport = {
    pid: 1,
    publicKey: 'k',
    addresses: ['10.7.0.2'],
    port: 5,
    listeners: [{ type: 'proxy', host: '127.0.0.1', port: 1080 }],
  }

  it('is there whole, and nothing beside it', () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'ready.json')
    writeFileSync(path, 'from before')
    clearReadyFile(path)
    expect(existsSync(path)).toBe(false)
    writeReadyFile(path, report)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(report)
    expect(readdirSync(directory)).toEqual(['ready.json'])
  })

  it('is gone at the end, unless another run has written it since', () => {
    const path = join(temporaryDirectory(), 'ready.json')
    removeReadyFile(path)
    writeReadyFile(path, report)
    removeReadyFile(path)
    expect(existsSync(path)).toBe(true)
    writeReadyFile(path, { ...report, pid: process.pid })
    removeReadyFile(path)
    expect(existsSync(path)).toBe(false)
  })

  it('fails with READY_FILE_FAILED, and leaves nothing, where it cannot be', () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'ready.json'))
    const error = expect.objectContaining({
      code: 'READY_FILE_FAILED',
      message: expect.stringContaining('check its directory'),
    })
    expect(() => clearReadyFile(join(directory, 'ready.json'))).toThrow(error)
    expect(() => writeReadyFile(join(directory, 'ready.json'), report)).toThrow(error)
    expect(() => writeReadyFile(join(directory, 'missing', 'ready.json'), report)).toThrow(error)
    expect(readdirSync(directory)).toEqual(['ready.json'])
  })

  it.skipIf(process.platform === 'win32')('does not write through a link that somebody left beside it', () => {
    const directory = temporaryDirectory()
    const victim = join(directory, 'victim')
    writeFileSync(victim, 'mine')
    symlinkSync(victim, join(directory, `ready.json.${process.pid}.tmp`))
    writeReadyFile(join(directory, 'ready.json'), report)
    expect(readFileSync(victim, 'utf8')).toBe('mine')
    expect(readdirSync(directory).sort()).toEqual(['ready.json', 'victim'])
  })
})

describe('a peer that answered', () => {
  const peer = {
    publicKey: 'AbCdEfGhIjKl',
    hasPresharedKey: false,
    addresses: [],
    tags: [],
    allowedIps: [],
    persistentKeepalive: 0,
    rxBytes: 0,
    txBytes: 0,
  }

  it.each([
    [
      { peer: { ...peer, name: 'web1', endpoint: '192.0.2.1:51820', rtt: 12.345 } },
      'peer web1 at 192.0.2.1:51820, round trip 12.3 ms',
    ],
    [{ peer: { ...peer, endpoint: '192.0.2.1:51820' } }, 'peer AbCdEfGh… at 192.0.2.1:51820'],
    [{}, 'no peer has an Endpoint; waiting for them on UDP port 51820'],
  ])('is described', (ready, text) => {
    expect(describeReady(ready, 51820)).toBe(text)
  })
})

describe('a failed dial', () => {
  const target = { host: 'web1', port: 22 }
  const socketError = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

  it.each([
    ['ECONNREFUSED', 'TARGET_REFUSED', 'web1:22 refused the connection: check that the service runs'],
    ['ECONNRESET', 'TARGET_REFUSED', 'web1:22 reset the connection'],
    ['ETIMEDOUT', 'TARGET_TIMEOUT', 'web1:22 did not answer in 1.5 s: check its firewall'],
    ['EHOSTUNREACH', 'TARGET_UNREACHABLE', 'web1:22 cannot be reached (EHOSTUNREACH)'],
    ['ENETUNREACH', 'TARGET_UNREACHABLE', 'web1:22 cannot be reached (ENETUNREACH)'],
  ])('with %s is %s', (code, expected, message) => {
    expect(explainDial(socketError(code), target, 1500)).toMatchObject({
      code: expected,
      message: expect.stringContaining(message),
    })
  })

  it('is told in the words of the tunnel where it has any', () => {
    const own = new TunnelError('NO_ROUTE', 'no route')
    expect(explainDial(own, target, 0)).toBe(own)
    expect(explainDial(Object.assign(socketError('ENETUNREACH'), { cause: own }), target, 0)).toBe(own)
  })

  it('without limit names none', () => {
    expect((explainDial(socketError('ETIMEDOUT'), { host: 'fd00::1', port: 1 }, 0) as Error).message).toMatch(
      /^\[fd00::1\]:1 did not answer: /,
    )
  })

  it('of another kind stays as it is', () => {
    const odd = socketError('EMFILE')
    expect(explainDial(odd, target, 0)).toBe(odd)
  })
})

describe('the progress bar', () => {
  const drawOn = (isTTY: boolean): string => {
    const drawn: string[] = []
    const progress = createProgress({ isTTY, write: (text: string | Uint8Array) => drawn.push(`${text}`) > 0 }, 200)
    progress.show(100)
    progress.show(200)
    progress.clear()
    return drawn.join('')
  }

  it('redraws one line for a person and removes it', () => {
    expect(drawOn(true)).toMatch(/^\r {2}\[#{15} {15}\] 50 %\r {2}\[#{30}\] 100 %\r +\r$/)
  })

  it('is nothing where nobody looks', () => {
    expect(drawOn(false)).toBe('')
  })
})
