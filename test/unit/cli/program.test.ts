import { CommanderError } from 'commander'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createProgram } from '../../../src/cli/main.js'

const up = vi.hoisted(() => vi.fn(async () => 0))
const down = vi.hoisted(() => vi.fn(async () => {}))
const nc = vi.hoisted(() => vi.fn(async () => 0))
const bench = vi.hoisted(() => vi.fn(async () => true))
vi.mock('../../../src/app/bench.js', () => ({ bench }))
vi.mock('../../../src/app/up.js', () => ({ up }))
const runCommand = vi.hoisted(() => vi.fn(async () => 0))
vi.mock('../../../src/app/nc.js', () => ({ nc }))
vi.mock('../../../src/app/down.js', () => ({ down }))
vi.mock('../../../src/app/run.js', () => ({ run: runCommand }))

/** Runs a command line; returns its exit code and what commander said on stderr. */
async function run(...argv: string[]): Promise<{ code: number | undefined; said: string; printed: string }> {
  let code: number | undefined
  let said = ''
  let printed = ''
  const program = createProgram(finished => {
    code = finished
  })
  for (const command of [program, ...program.commands]) {
    command.configureOutput({
      writeErr: text => {
        said += text
      },
      writeOut: text => {
        printed += text
      },
    })
  }
  try {
    await program.parseAsync(['node', 'tunless', ...argv])
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    code = error.exitCode === 0 ? 0 : 2
  }
  return { code, said, printed }
}

beforeEach(() => {
  up.mockClear()
  nc.mockClear()
  bench.mockClear()
  down.mockClear()
  runCommand.mockClear()
})

describe('tunless up', () => {
  it('takes what it is given', async () => {
    const { code } = await run(
      ...[
        'up',
        '-c',
        'a.conf',
        '-D',
        '1080',
        '-D',
        'unix:/run/p',
        '-L',
        '1:a:2',
        '-L',
        '[::1]:3:b:4',
        '-6',
        '-q',
        '--timeout',
        '500ms',
      ],
      ...[
        '-R',
        '5:c:6',
        '--auth-file',
        'users',
        '--ready-file',
        'ready.json',
        '--private-key-file',
        'key',
        '--congestion',
        'cubic',
      ],
    )
    expect(code).toBe(0)
    expect(up).toHaveBeenCalledExactlyOnceWith({
      file: 'a.conf',
      privateKeyFile: 'key',
      family: 6,
      congestion: 'cubic',
      timeout: 500,
      level: 'quiet',
      proxies: [{ host: '127.0.0.1', port: 1080 }, { path: '/run/p' }],
      forwards: [
        { at: { host: '127.0.0.1', port: 1 }, target: { host: 'a', port: 2 } },
        { at: { host: '::1', port: 3 }, target: { host: 'b', port: 4 } },
      ],
      reverses: [{ at: { port: 5 }, target: { host: 'c', port: 6 } }],
      authFile: 'users',
      readyFile: 'ready.json',
    })
  })

  it('waits 20 s and takes what is there by default', async () => {
    await run('up')
    expect(up).toHaveBeenCalledExactlyOnceWith({
      timeout: 20_000,
      level: 'normal',
      proxies: [],
      forwards: [],
      reverses: [],
    })
  })

  it.each([
    [['up', '-4', '-6'], /'-4' cannot be used with option '-6'/],
    [['up', '-v', '-q'], /cannot be used with/],
    [['up', '--timeout', '5x'], /argument '5x' is invalid\. write seconds/],
    [['up', '--congestion', 'reno'], /argument 'reno' is invalid\. Allowed choices are bbr, cubic\./],
    [['up', '-D', 'x'], /'x' is not a port/],
    [['up', '-L', '80:web1'], /write \[BIND:\]PORT:HOST:HOSTPORT/],
    [['up', '--daemon'], /unknown option '--daemon'/],
    [['up', 'extra'], /too many arguments/],
    [['up', '-c'], /argument missing/],
    [['upp'], /unknown command 'upp'/],
    [['--config', 'x'], /unknown option '--config'/],
  ])('refuses %j with exit code 2 and the way to the help', async (argv, message) => {
    const { code, said } = await run(...argv)
    expect(code).toBe(2)
    expect(said).toMatch(message)
    expect(said).toMatch(/^tunless: /)
    expect(said).toMatch(/^tunless: see tunless( up)? --help$/m)
    expect(up).not.toHaveBeenCalled()
  })
})

describe('tunless up --detach and down', () => {
  it('go by what they are given', async () => {
    up.mockResolvedValueOnce(1)
    expect((await run('up', '--detach', '--pid-file', 'a.pid')).code).toBe(1)
    expect(up).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ detach: true, pidFile: 'a.pid' }))
    expect((await run('down', '-c', 'a.conf', '--timeout', '2m', '-q')).code).toBe(0)
    expect((await run('down')).code).toBe(0)
    expect(down.mock.calls).toEqual([
      [{ file: 'a.conf', timeout: 120_000, level: 'quiet' }],
      [{ timeout: 10_000, level: 'normal' }],
    ])
  })
})

describe('tunless nc', () => {
  it('takes a host and a port', async () => {
    await run('nc', '-c', 'a.conf', '-4', '--congestion', 'bbr', 'web1', '22')
    const congestion = 'bbr'
    const options = { file: 'a.conf', family: 4, congestion, timeout: 20_000, level: 'normal', host: 'web1', port: 22 }
    expect(nc).toHaveBeenCalledExactlyOnceWith(options, expect.any(Function))
  })

  it('ends its options at the first operand, or at --', async () => {
    expect((await run('nc', '--', 'web1', '22')).code).toBe(0)
    const late = await run('nc', 'web1', '22', '-v')
    expect(late.code).toBe(2)
    expect(late.said).toContain('too many arguments')
    expect(nc).toHaveBeenCalledTimes(1)
  })

  it.each([
    [['nc', 'web1'], /missing required argument 'port'/],
    [['nc', 'web1', '0'], /'0' is not a port/],
    [['nc', 'web 1', '22'], /'web 1' is not a host/],
  ])('refuses %j', async (argv, message) => {
    const { code, said } = await run(...argv)
    expect(code).toBe(2)
    expect(said).toMatch(message)
  })

  it('returns the exit code of its connection', async () => {
    nc.mockResolvedValueOnce(1)
    expect((await run('nc', 'web1', '22')).code).toBe(1)
  })
})

describe('tunless bench', () => {
  it('takes what it is given', async () => {
    const given = ['--quick', '--json', '--only', 'aead,macro/up/', '--only', 'floor', '--compare', 'base.json']
    expect((await run('bench', ...given, '--tolerance', '7.5%')).code).toBe(0)
    const only = ['aead', 'macro/up', 'floor']
    const options = { effort: 'quick', json: true, only, compare: 'base.json', tolerance: 7.5 }
    expect(bench).toHaveBeenCalledExactlyOnceWith(options)
  })

  it('runs everything, and compares with nothing, by default', async () => {
    await run('bench')
    expect(bench).toHaveBeenCalledExactlyOnceWith({ effort: 'short' })
  })

  it('returns 1 where something became worse', async () => {
    bench.mockResolvedValueOnce(false)
    expect((await run('bench', '--compare', 'base.json')).code).toBe(1)
  })

  it.each([
    [['bench', '--tolerance', 'much'], /write a percentage/],
    [['bench', '--tolerance', '-5'], /write a percentage/],
    [['bench', '--only', 'aead,,floor'], /write ids/],
    [['bench', 'aead'], /too many arguments/],
  ])('refuses %j', async (argv, message) => {
    const { code, said } = await run(...argv)
    expect(code).toBe(2)
    expect(said).toMatch(message)
    expect(bench).not.toHaveBeenCalled()
  })
})

describe('tunless run', () => {
  it('ends its options at the command, whose own are not ours', async () => {
    runCommand.mockResolvedValueOnce(42)
    const { code } = await run(
      ...[
        'run',
        '-c',
        'a.conf',
        '--wait',
        'web1:22',
        '--wait',
        '[fd00::1]:80',
        '--direct',
        '.example.com',
        '--direct',
        '*',
      ],
      ...['--no-proxy-auth', '-L', '1:a:2', 'rsync', '-a', '--wait', 'x', '-c', 'b.conf'],
    )
    expect(code).toBe(42)
    expect(runCommand).toHaveBeenCalledExactlyOnceWith({
      file: 'a.conf',
      timeout: 20_000,
      level: 'normal',
      proxies: [],
      forwards: [{ at: { host: '127.0.0.1', port: 1 }, target: { host: 'a', port: 2 } }],
      reverses: [],
      wait: [
        { host: 'web1', port: 22 },
        { host: 'fd00::1', port: 80 },
      ],
      direct: ['.example.com', '*'],
      proxyAuth: false,
      command: ['rsync', '-a', '--wait', 'x', '-c', 'b.conf'],
    })
  })

  it('takes a command after --', async () => {
    await run('run', '--', 'printenv', '--', '-q')
    expect(runCommand).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ wait: [], direct: [], proxyAuth: true, command: ['printenv', '--', '-q'] }),
    )
  })

  it.each([
    [['run'], /missing required argument 'command'/],
    [['run', '--wait', 'web1', 'true'], /write HOST:PORT/],
    [['run', '--wait', 'web1:0', 'true'], /'0' is not a port/],
    [['run', '--wait', 'web1:70000', 'true'], /'70000' is not a port/],
    [['run', '--rsync', 'true'], /unknown option '--rsync'/],
  ])('refuses %j', async (argv, message) => {
    const { code, said } = await run(...argv)
    expect(code).toBe(2)
    expect(said).toMatch(message)
    expect(runCommand).not.toHaveBeenCalled()
  })
})

describe('help and version', () => {
  it('are printed with exit code 0', async () => {
    expect(await run('-V')).toMatchObject({ code: 0, printed: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    for (const argv of [['-h'], ['up', '--help'], ['nc', '-h'], ['init', '--help']]) {
      expect(await run(...argv)).toMatchObject({ code: 0, said: '', printed: expect.stringMatching(/^Usage: tunless/) })
    }
  })

  it('is shown on stderr with exit code 2 where no command is given', async () => {
    expect(await run()).toMatchObject({ code: 2, printed: '', said: expect.stringContaining('Commands:') })
  })
})
