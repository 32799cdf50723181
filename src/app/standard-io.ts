// stdin and stdout as the two halves of a connection. Node's own process.stdin and process.stdout do not do: the latter blocks
// the whole process while its reader is slow, and neither lets go of its file descriptor, on which the reader of a pipe waits
// for the end.
import { closeSync, createReadStream, createWriteStream, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { isatty, ReadStream, WriteStream } from 'node:tty'

export interface StandardIo {
  readonly input: Readable
  readonly output: Writable
  /** A person types: there is no end of input to wait for. */
  readonly isTerminal: boolean
  /** Ends the output for whoever reads it, once everything written has left. */
  endOutput(): Promise<void>
  /** Stops reading and writing; the descriptors stay as they are until the process ends. */
  stop(): Promise<void>
}

export function openStandardIo(): StandardIo {
  const input = openInput()
  const output = openOutput()
  input.on('error', () => {})
  output.on('error', () => {})
  let outputEnded: Promise<void> | undefined

  async function endOutput(): Promise<void> {
    await new Promise<void>(resolve => {
      if (output.destroyed) resolve()
      else if (isOthersSocket()) output.once('close', resolve).write('', () => resolve())
      else output.once('close', resolve).end(resolve)
    })
    await destroyed(output)
    release(1)
  }

  return {
    input,
    output,
    isTerminal: isatty(0),
    endOutput() {
      outputEnded ??= endOutput()
      return outputEnded
    },
    async stop() {
      await Promise.all([destroyed(input), destroyed(output)])
    },
  }
}

/**
 * Gives up stdin, stdout and stderr, or those of them, at once: who waits for their end goes on, though this process stays. What was opened
 * over them is to be stopped before.
 */
export function releaseStandardIo(fds: readonly number[] = [0, 1, 2]): void {
  for (const fd of fds) release(fd)
}

function openInput(): Readable {
  if (isatty(0)) return new ReadStream(0)
  if (isStream(0)) return new Socket({ fd: 0, readable: true, writable: false, allowHalfOpen: true })
  return createReadStream('', { fd: 0, autoClose: false })
}

function openOutput(): Writable {
  if (isatty(1)) return new WriteStream(1)
  if (isStream(1)) return new Socket({ fd: 1, readable: false, writable: true, allowHalfOpen: true })
  return createWriteStream('', { fd: 1, autoClose: false })
}

/**
 * Whether stdout is a socket of its own, as Node gives it to what it starts. To shut it down would end it for everybody who has it,
 * the shell that we run in and what that starts next included; one that is stdin as well is a connection, with nobody else on it.
 */
function isOthersSocket(): boolean {
  const [input, output] = [fstatSync(0), fstatSync(1)]
  return output.isSocket() && (input.ino !== output.ino || input.dev !== output.dev)
}

function isStream(fd: number): boolean {
  const stat = fstatSync(fd)
  return stat.isFIFO() || stat.isSocket()
}

/** libuv must have forgotten the descriptor before its number is used for something else. */
function destroyed(stream: Readable | Writable): Promise<void> {
  return new Promise(resolve => {
    if (stream.closed) resolve()
    else stream.once('close', resolve).destroy()
  })
}

/** Puts /dev/null in the descriptor's place: libuv never closes these three, and their numbers must not go to anything else. */
function release(fd: number): void {
  if (process.platform === 'win32') return
  try {
    closeSync(fd)
    // The lowest free number is the one just closed.
    const taken = openSync('/dev/null', fd === 0 ? 'r' : 'w')
    if (taken !== fd) closeSync(taken)
  } catch {
    // It was closed already.
  }
}
