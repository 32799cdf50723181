// Where lines of the connection log go: stderr, a file, or syslog. Whatever happens there, the tunnel goes on: what a slow or full
// sink does not take is dropped and counted, and said once.
import { createWriteStream, openSync, type WriteStream } from 'node:fs'
import { TunnelError } from '../../errors.js'
import type { Log } from '../log.js'
import { openSyslog } from './syslog.js'

export interface LogSink {
  /** Without a newline. */
  write(line: string): void
  /** A file that was moved away is begun anew. */
  reopen(): void
  close(): Promise<void>
}

/** Bytes that may wait for a file. */
const longestQueue = 1024 * 1024

/** `stderr`, `syslog:…`, or a path. Rejects with LOG_FAILED. */
export async function openLogSink(where: string, log: Log): Promise<LogSink> {
  if (where === 'stderr') return stderrSink
  if (where === 'syslog' || where.startsWith('syslog:')) return openSyslog(where.slice('syslog:'.length), log)
  return new FileSink(where, log)
}

const stderrSink: LogSink = {
  write: line => void process.stderr.write(`${line}\n`),
  reopen: () => {},
  close: async () => {},
}

class FileSink implements LogSink {
  readonly #path: string
  readonly #log: Log
  #stream: WriteStream | undefined
  #dropped = 0

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
    try {
      this.#stream = this.#open()
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      throw new TunnelError('LOG_FAILED', `cannot write ${path} (${code ?? message}): check its directory`, { cause })
    }
  }

  #open(): WriteStream {
    const stream = createWriteStream('', { fd: openSync(this.#path, 'a', 0o600) })
    stream.on('error', error => this.#failed(stream, error))
    stream.on('drain', () => this.#tellDropped(stream))
    return stream
  }

  #failed(stream: WriteStream, error: NodeJS.ErrnoException): void {
    if (this.#stream !== stream) return
    this.#stream = undefined
    this.#log.warn(`the connection log ${this.#path} is not written any more (${error.code}): SIGHUP opens it again`)
  }

  #tellDropped(stream: WriteStream): void {
    if (this.#dropped === 0) return
    stream.write(`${JSON.stringify({ time: new Date().toISOString(), dropped: this.#dropped })}\n`)
    this.#dropped = 0
  }

  write(line: string): void {
    const stream = this.#stream
    if (stream === undefined || stream.writableLength > longestQueue) this.#dropped++
    else stream.write(`${line}\n`)
  }

  reopen(): void {
    const former = this.#stream
    try {
      this.#stream = this.#open()
      this.#tellDropped(this.#stream)
    } catch (error) {
      this.#stream = undefined
      const { code, message } = error as NodeJS.ErrnoException
      this.#log.warn(
        `the connection log ${this.#path} cannot be opened again (${code ?? message}): check its directory`,
      )
    }
    former?.end()
  }

  async close(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    if (stream === undefined) return
    await new Promise<void>(resolve =>
      stream
        .once('close', resolve)
        .once('error', () => resolve())
        .end(),
    )
  }
}
