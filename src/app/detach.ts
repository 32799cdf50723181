// `up --detach`: the same command again as a process in the background, and what the two say to each other. The one in front waits
// until the tunnel stands, shows what is said until then, and returns what it means for an exit code.
import { spawn } from 'node:child_process'
import { fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Log } from './log.js'
import { releaseStandardIo } from './standard-io.js'

/** How long the last words may take to come, ms. */
const longestWords = 2000

/** Set in the environment of the process in the background, which removes it. */
const marker = 'TUNLESS_DETACHED'

/** Whether this is the process in the background. To be asked once. */
export function isDetached(): boolean {
  const isMarked = process.env[marker] !== undefined && process.connected === true
  delete process.env[marker]
  return isMarked
}

export interface DetachOptions {
  /** Whether the process in the background reads its configuration from stdin. */
  readonly readsStdin: boolean
  readonly log: Log
}

/** Resolves with 0 once the tunnel stands in another process, else with that one's exit code. */
export function detach({ readsStdin, log }: DetachOptions): Promise<number> {
  const script = fileURLToPath(new URL('../bin.cjs', import.meta.url))
  // A file may be written to for good; on a pipe or a terminal somebody waits for the end.
  const keepsStderr = isFile(2)
  const child = spawn(process.execPath, [...process.execArgv, script, ...process.argv.slice(2)], {
    detached: true,
    env: { ...process.env, [marker]: '1' },
    stdio: [readsStdin ? 'inherit' : 'ignore', 'ignore', keepsStderr ? 'inherit' : 'pipe', 'ipc'],
  })
  child.stderr?.pipe(process.stderr, { end: false })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  let stoppedBy: NodeJS.Signals | undefined
  const stop = (name: NodeJS.Signals) => {
    stoppedBy = name
    child.kill(name === 'SIGHUP' ? 'SIGTERM' : name)
  }
  for (const name of signals) process.on(name, stop)

  return new Promise(resolve => {
    const finish = (code: number) => {
      for (const name of signals) process.off(name, stop)
      resolve(code)
    }
    let stands = false
    child.once('message', async () => {
      stands = true
      // It lets go of stderr then: all that it said is shown first.
      await ended(child.stderr)
      // It leaves by itself, maybe before this.
      if (child.connected) child.disconnect()
      child.unref()
      log.info(`in the background as process ${child.pid}`)
      finish(0)
    })
    child.once('error', error => {
      log.error(`cannot start in the background: ${error.message}`)
      finish(1)
    })
    child.once('close', code => {
      if (stands) return
      if (stoppedBy !== undefined) log.error(`stopped by ${stoppedBy} before the tunnel stood`)
      finish(code === null || code === 0 ? 1 : code)
    })
  })
}

function ended(stream: Readable | null): Promise<void> {
  return new Promise(resolve => {
    if (stream === null || stream.readableEnded) return resolve()
    const timer = setTimeout(resolve, longestWords)
    stream.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** In the background: calls `end` when who started it ends before it was told that the tunnel stands. */
export function whenStarterEnds(end: () => void): void {
  process.once('disconnect', end)
}

/** In the background: the tunnel stands, and this process is on its own from now on. */
export async function letStarterGo(end: () => void): Promise<void> {
  process.off('disconnect', end)
  const keepsStderr = isFile(2)
  await new Promise<void>(resolve => {
    if (process.send === undefined) resolve()
    else process.send('stands', () => resolve())
  })
  releaseStandardIo(keepsStderr ? [0, 1] : [0, 1, 2])
  if (process.connected) process.disconnect()
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}
