// SIGTERM in each phase of each command that stays: no process, file or socket is left behind.
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { filesIn, openGateway, type Running, saying, scratch, silentConf, start } from './cli-support.js'

const commands = ['up', 'serve', 'run', 'up --detach'] as const
type CommandName = (typeof commands)[number]

const variable = 'TUNLESS_TEST_MARK'
/** Between two moments of a start, ms. */
const startStep = process.env.TUNLESS_FULL === '1' ? 25 : 100

interface Case {
  readonly running: Running
  readonly directory: string
  readonly pidFile: string
  /** Fails unless, soon, no process of this case is there and no file but those that were there before. */
  expectNothing(): Promise<void>
}

/** Starts a command with everything that it could leave behind. */
function begin(
  name: CommandName,
  conf: string,
  directory: string,
  more: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Case {
  const before = filesIn(directory)
  const mark = randomUUID()
  const file = (base: string) => join(directory, base)
  const both = ['-c', conf, '--metrics', file('metrics.sock')]
  const kept = ['--pid-file', file('pid'), '--ready-file', file('ready.json')]
  const ways = ['-D', file('proxy.sock'), '-L', `${file('forward.sock')}:gateway:7`, '-R', '90:127.0.0.1:9']
  const args = {
    up: ['up', ...both, ...kept, ...ways, '--uapi', file('uapi.sock'), ...more],
    serve: ['serve', ...both, ...kept, '--route', '10.9.0.1=127.0.0.1', ...more],
    run: ['run', ...both, ...ways, ...more, 'sh', '-c', 'echo started >&2; exec sleep 300'],
    'up --detach': ['up', '--detach', ...both, ...kept, ...ways, ...more],
  }[name]
  const running = start(args, directory, { ...env, [variable]: mark })
  return {
    running,
    directory,
    pidFile: file('pid'),
    async expectNothing() {
      await expect.poll(() => processesWith(mark), { timeout: 15_000 }).toEqual([])
      expect(filesIn(directory)).toEqual(before)
    },
  }
}

/** Command lines of the processes that have it in their environment. */
function processesWith(mark: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${variable}=${mark}`)
        return isOurs ? [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')] : []
      } catch {
        return [] // it has ended, or is somebody else's
      }
    })
}

/** Resolves once the command does what it is for. */
async function stands({ running, pidFile }: Case, name: CommandName): Promise<void> {
  if (name === 'up --detach') {
    await running.finished
    await expect.poll(() => existsSync(pidFile), { timeout: 10_000 }).toBe(true)
  } else await saying(running, { up: /tunnel leads to/, serve: /it leads to/, run: /^started/m }[name])
}

/** Whom to signal once it stands. */
function keeper({ running, pidFile }: Case, name: CommandName): number {
  return name === 'up --detach' ? Number(readFileSync(pidFile, 'utf8')) : (running.process.pid as number)
}

describe.skipIf(process.platform !== 'linux')('SIGTERM', () => {
  describe.each(commands)('of %s', name => {
    it('at any moment of its start leaves nothing', { timeout: 50_000 }, async () => {
      const { conf, directory } = await openGateway()
      for (let delay = 0; delay <= 600; delay += startStep) {
        const one = begin(name, conf, directory)
        await sleep(delay)
        one.running.process.kill('SIGTERM')
        await one.running.finished
        if (name === 'up --detach' && existsSync(one.pidFile)) process.kill(keeper(one, name), 'SIGTERM')
        await one.expectNothing()
      }
    })

    it('while nobody answers leaves nothing', async () => {
      const directory = scratch()
      const one = begin(name, silentConf(directory), directory, ['--timeout', '0'])
      // The key's socket: from then on it calls.
      await expect
        .poll(() => filesIn(directory).some(file => /[0-9a-f]{16}$/.test(file)), { timeout: 10_000 })
        .toBe(true)
      one.running.process.kill('SIGTERM')
      await one.running.finished
      await one.expectNothing()
    })

    it('while it stands leaves nothing', async () => {
      const { conf, directory } = await openGateway()
      const one = begin(name, conf, directory)
      await stands(one, name)
      process.kill(keeper(one, name), 'SIGTERM')
      await one.running.finished
      await one.expectNothing()
    })

    it('while it reloads leaves nothing', async () => {
      const { conf, directory } = await openGateway()
      const one = begin(name, conf, directory)
      await stands(one, name)
      const pid = keeper(one, name)
      for (let i = 0; i < 20; i++) process.kill(pid, 'SIGHUP')
      process.kill(pid, 'SIGTERM')
      await one.running.finished
      await one.expectNothing()
    })

    it('while it stops leaves nothing', async () => {
      const { conf, directory } = await openGateway()
      for (const pause of [1, 10]) {
        const one = begin(name, conf, directory)
        await stands(one, name)
        const pid = keeper(one, name)
        process.kill(pid, 'SIGTERM')
        await sleep(pause)
        try {
          process.kill(pid, 'SIGTERM')
        } catch {
          // ESRCH: it has stopped.
        }
        await one.running.finished
        await one.expectNothing()
      }
    })
  })

  it.each(['up', 'serve'] as const)(
    'of %s twice, while the service manager is slow to hear, leaves nothing',
    async name => {
      const { conf, directory } = await openGateway()
      const programs = scratch()
      const heard = join(programs, 'heard')
      const notify = `#!/bin/sh\ncase $1 in STOPPING=1) echo > ${heard}; exec sleep 3;; esac\n`
      writeFileSync(join(programs, 'systemd-notify'), notify, { mode: 0o755 })
      const env = { PATH: `${programs}:${process.env.PATH}`, NOTIFY_SOCKET: '/nowhere' }
      const one = begin(name, conf, directory, [], env)
      await stands(one, name)
      one.running.process.kill('SIGTERM')
      await expect.poll(() => existsSync(heard), { timeout: 10_000 }).toBe(true)
      expect(existsSync(one.pidFile)).toBe(true)
      one.running.process.kill('SIGTERM')
      expect((await one.running.finished).code).toBe(1)
      await one.expectNothing()
    },
  )

  it('of run while it waits for a target leaves nothing', async () => {
    const { conf, directory } = await openGateway()
    const one = begin('run', conf, directory, ['--timeout', '0', '--wait', 'gateway:81'])
    await saying(one.running, /waiting for gateway:81/)
    one.running.process.kill('SIGTERM')
    expect((await one.running.finished).code).toBe(143)
    await one.expectNothing()
  })
})
