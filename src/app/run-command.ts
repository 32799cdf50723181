// The command of `run` as a child process: started, sent the signals that this process gets, and its end as an exit code.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { TunnelError } from '../errors.js'

/** Signals that a service manager or a hang-up sends to this process alone. */
const forwarded = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
/** Signals that a terminal sends to the command as well. */
const typed = ['SIGINT', 'SIGQUIT'] as const

/** As env(1), nohup(1) and the shells have them. */
export const commandCodes = { notExecutable: 126, notFound: 127, signal: 128 } as const

/** A command that did not start. */
export interface NotStarted {
  readonly code: number
  readonly reason: string
}

export interface RunSignals {
  /** Aborts at a signal that finds no command running; the reason is an {@link Interrupted}. */
  readonly interrupted: AbortSignal
  /** The command runs, and gets the signals, until it is over. */
  follow(child: ChildProcess): void
  done(): void
}

/** `run` was ended before its command began, or after it ended. */
export class Interrupted extends Error {
  readonly code: number

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`)
    this.code = codeOf(signal)
  }
}

/** Takes the process's signals over. `isTyped` tells whether the terminal has sent the signal to the command, too. */
export function takeSignals(isTyped: () => boolean = ownsTerminal): RunSignals {
  const controller = new AbortController()
  let child: ChildProcess | undefined
  let interrupts = 0
  const take = (name: NodeJS.Signals) => {
    if (child === undefined) {
      // The second one is for a process that does not end by the first.
      if (controller.signal.aborted) process.exit(codeOf(name))
      controller.abort(new Interrupted(name))
    } else if (name === 'SIGINT' && ++interrupts > 1) {
      child.kill('SIGKILL')
    } else if (!(typed as readonly string[]).includes(name) || !isTyped()) {
      child.kill(name)
    }
  }
  for (const name of [...forwarded, ...typed]) process.on(name, take)
  return {
    interrupted: controller.signal,
    follow(started) {
      child = started
      started.once('exit', () => {
        child = undefined
      })
    },
    done() {
      for (const name of [...forwarded, ...typed]) process.off(name, take)
    },
  }
}

/** Resolves with the command's exit code once it has ended, or with why it did not start. Rejects with USAGE for words that none can have. */
export async function runCommand(
  [file, ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  signals: RunSignals,
): Promise<number | NotStarted> {
  let child: ChildProcess
  try {
    child = spawn(file as string, args, { env, stdio: 'inherit' })
  } catch (error) {
    return notStarted(file as string, error as NodeJS.ErrnoException)
  }
  if (child.pid !== undefined) signals.follow(child)
  return new Promise(resolve => {
    child.once('error', error => {
      if (child.pid === undefined) resolve(notStarted(file as string, error))
    })
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 0) : codeOf(signal)))
  })
}

function notStarted(file: string, error: NodeJS.ErrnoException): NotStarted {
  const { code, message } = error
  if (code === undefined || code.startsWith('ERR_')) {
    throw new TunnelError('USAGE', `the command cannot be started: ${message}`, { cause: error })
  }
  if (code === 'ENOENT') {
    const where = file.includes('/') ? 'there is no such file, or its interpreter is missing' : 'it is not on PATH'
    return { code: commandCodes.notFound, reason: `${file}: not found: ${where}` }
  }
  const why = code === 'EACCES' ? 'it is not executable: chmod +x, or name the program that reads it' : message
  return { code: commandCodes.notExecutable, reason: `${file}: cannot be run: ${why}` }
}

function codeOf(signal: NodeJS.Signals): number {
  return commandCodes.signal + constants.signals[signal]
}

/** Whether this process is in the foreground of a terminal, whose signals go to the whole process group. */
function ownsTerminal(): boolean {
  try {
    return isForeground(readFileSync('/proc/self/stat', 'latin1'))
  } catch {
    return process.stdin.isTTY === true || process.stderr.isTTY === true
  }
}

/** proc_pid_stat(5): the fields after the name are state, ppid, pgrp, session, tty_nr and tpgid. */
export function isForeground(stat: string): boolean {
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return terminal !== '0' && group === foreground
}
