// Syslog (RFC 5424), over UDP (RFC 5426) or a local socket. Node speaks to stream sockets alone; a datagram socket, as /dev/log is
// on most systems, is served by logger(1).
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { TunnelError } from '../../errors.js'
import type { Log } from '../log.js'
import type { LogSink } from './log-sink.js'

/** Facility daemon (3), severity informational (6). */
const priority = 3 * 8 + 6
/** RFC 5426, 3.1. */
const defaultPort = 514
const defaultPath = '/dev/log'
const longestQueue = 1024 * 1024
/** Between two attempts at a local socket that went away, ms. */
const pause = 5000

/** `where`: nothing for this host's own, `/path`, or `HOST[:PORT]` for UDP. Rejects with LOG_FAILED. */
export async function openSyslog(where: string, log: Log): Promise<LogSink> {
  if (where === '' || where.startsWith('/')) return openLocal(where || defaultPath, log)
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(where) ?? []
  const host = bracketed ?? plain
  const port = digits === undefined ? defaultPort : Number(digits)
  if (host === undefined || port < 1 || port > 65535) {
    throw new TunnelError(
      'USAGE',
      `--connection-log syslog:${where.slice(0, 80)}: write syslog:, syslog:/path or syslog:HOST:PORT`,
    )
  }
  return openUdp(host, port)
}

/** `<30>1 TIME HOST tunless PID connection - MESSAGE` (RFC 5424, 6). */
export function formatSyslog(message: string, now: Date, host = hostname(), pid = process.pid): string {
  const name = host.replace(/[^\x21-\x7e]/g, '').slice(0, 255) || '-'
  return `<${priority}>1 ${now.toISOString()} ${name} tunless ${pid} connection - ${message}`
}

async function openUdp(host: string, port: number): Promise<LogSink> {
  // Loaded where it is asked for: a start that needs no resolver is shorter.
  const { lookup } = await import('node:dns/promises')
  const { address, family } = await lookup(host).catch(error => {
    throw failed(`${host}:${port}`, error)
  })
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4').unref()
  socket.on('error', () => {})
  let sending = 0
  let sent = () => {}
  return {
    // What nobody takes is lost, as syslog over UDP has it.
    write(line) {
      if (socket.getSendQueueSize() > longestQueue) return
      sending++
      socket.send(formatSyslog(line, new Date()), port, address, () => {
        if (--sending === 0) sent()
      })
    },
    reopen: () => {},
    async close() {
      await new Promise<void>(resolve => {
        sent = resolve
        if (sending === 0) resolve()
      })
      socket.close()
    },
  }
}

async function openLocal(path: string, log: Log): Promise<LogSink> {
  const first = await connectTo(path).catch(error => error as NodeJS.ErrnoException)
  if (!(first instanceof Error)) return new StreamSink(path, first, log)
  if (first.code === 'EPROTOTYPE') return openLogger(path, log)
  throw failed(path, first)
}

function failed(path: string, cause: NodeJS.ErrnoException): TunnelError {
  const why = cause.code ?? cause.message
  return new TunnelError(
    'LOG_FAILED',
    `cannot reach syslog at ${path} (${why}): check that a syslog daemon runs, or name another place, syslog:HOST:PORT for one`,
    { cause },
  )
}

function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket.unref())
    })
  })
}

/** Each message ends with a newline (RFC 6587, 3.4.2). */
class StreamSink implements LogSink {
  readonly #path: string
  readonly #log: Log
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(path: string, socket: Socket, log: Log) {
    this.#path = path
    this.#log = log
    this.#use(socket)
  }

  #use(socket: Socket): void {
    this.#socket = socket
    socket.on('error', () => {})
    socket.resume().once('close', () => {
      this.#socket = undefined
      if (this.#isClosed) return
      this.#log.warn(`syslog at ${this.#path} went away; it is tried again`)
      this.#retry()
    })
  }

  #retry(): void {
    this.#timer = setTimeout(() => {
      connectTo(this.#path).then(
        socket => (this.#isClosed ? socket.destroy() : this.#use(socket)),
        () => this.#isClosed || this.#retry(),
      )
    }, pause).unref()
  }

  write(line: string): void {
    const socket = this.#socket
    if (socket !== undefined && socket.writableLength < longestQueue)
      socket.write(`${formatSyslog(line, new Date())}\n`)
  }

  reopen(): void {}

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    const socket = this.#socket
    if (socket === undefined) return
    await new Promise<void>(resolve => socket.once('close', () => resolve()).end(() => socket.destroy()))
  }
}

async function openLogger(path: string, log: Log): Promise<LogSink> {
  const place = path === defaultPath ? [] : ['-u', path]
  const child: ChildProcess = spawn('logger', ['-t', 'tunless', '-p', 'daemon.info', ...place], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', error => reject(failed(path, error)))
  })
  let isGone = false
  let isClosing = false
  const ended = new Promise<void>(resolve => {
    child.once('close', () => {
      isGone = true
      if (!isClosing) log.warn('logger(1) has ended: the connection log is not written any more')
      resolve()
    })
  })
  const { stdin } = child
  stdin?.on('error', () => {})
  child.unref()
  ;(stdin as unknown as { unref?(): void } | null)?.unref?.()
  return {
    write(line) {
      if (!isGone && stdin !== null && stdin.writableLength < longestQueue) stdin.write(`${line}\n`)
    },
    reopen: () => {},
    async close() {
      isClosing = true
      child.ref()
      stdin?.end()
      await ended
    },
  }
}
