// `tunless nc`: one connection on stdin and stdout. It joins the tunnel that runs with this key, or opens one that others can join
// and then outlives its own connection until the last of them has ended.
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TunnelError } from '../errors.js'
import { type JoinedTunnel, joinTunnel } from '../node/control.js'
import { openTunnel } from '../node/open.js'
import { explainDial } from '../node/target-error.js'
import type { Tunnel } from '../node/tunnel.js'
import { createDialer, formatTarget, type Target } from '../proxy/dialer.js'
import { carry } from './carry.js'
import { type CompleteConfig, type ConfOptions, readConf } from './conf.js'
import { describeReady } from './describe.js'
import { joinGiven, joinOrOpen } from './join.js'
import { mustKeepTo } from './joined-policy.js'
import { createLog, type Log, type LogLevel } from './log.js'
import { type OpenOptions, openOptions } from './open-options.js'
import { publicKeyOf } from './public-key.js'
import { openStandardIo, releaseStandardIo } from './standard-io.js'
import { aborted } from './stop.js'
import { tellWhileWaiting } from './waiting.js'

export interface NcOptions extends ConfOptions, OpenOptions, Target {
  /** For the first handshake, and apart for the dial, ms; 0 waits without end. */
  readonly timeout: number
  readonly level: LogLevel
}

/** What ends what. */
interface Endings {
  /** The own connection ends: SIGHUP, with which ssh dismisses its ProxyCommand, or SIGINT. */
  readonly connection: AbortSignal
  /** Everything ends, others' connections too: SIGTERM, or a second SIGINT. */
  readonly tunnel: AbortSignal
}

/** Returns the exit code of the own connection. Rejects only before there is one. */
export async function nc<Code>(options: NcOptions, exitCodeOf: (error: unknown) => Code): Promise<Code | 0> {
  const log = createLog(options.level)
  const run = new Run(options, log, listenForEndings(), exitCodeOf)
  const given = await joinGiven(process.env)
  if (given !== undefined) return run.use(given)
  const config = await readConf(options, { env: process.env, readStdin: undefined, warn: log.warn })
  for (const note of config.notes) log.debug(note)
  const publicKey = publicKeyOf(config.interface.privateKey)
  return joinOrOpen(
    async () => {
      const joined = await joinTunnel(publicKey)
      return joined && run.use(joined)
    },
    () => run.open(config),
  )
}

class Run<Code> {
  readonly #options: NcOptions
  readonly #log: Log
  readonly #endings: Endings
  readonly #exitCodeOf: (error: unknown) => Code

  constructor(options: NcOptions, log: Log, endings: Endings, exitCodeOf: (error: unknown) => Code) {
    this.#options = options
    this.#log = log
    this.#endings = endings
    this.#exitCodeOf = exitCodeOf
  }

  /** Rejects with TUNNEL_CLOSED where the tunnel ended before the connection stood. */
  async use(joined: JoinedTunnel): Promise<Code | 0> {
    const { host, port, timeout } = this.#options
    this.#log.debug(`joined the tunnel of process ${joined.pid}`)
    try {
      await mustKeepTo(this.#options, joined, this.#log)
      const connection = await joined.dial(host, port, { timeout, signal: this.#endings.connection })
      return await this.#carry(connection)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'TUNNEL_CLOSED') throw error
      return this.#fail(error)
    } finally {
      joined.leave()
    }
  }

  /** Rejects with TUNNEL_KEY_IN_USE where another process has it by now. */
  async open(config: CompleteConfig): Promise<Code | 0> {
    const tunnel = await openTunnel(config, openOptions(this.#options))
    try {
      tunnel.on('warning', this.#log.warn)
      tunnel.on('handshake', peer => this.#log.debug(`handshake with ${describeReady({ peer }, tunnel.port)}`))
      const code = await this.#dial(tunnel).then(
        connection => this.#carry(connection),
        error => this.#fail(error),
      )
      await this.#outlast(tunnel)
      return code
    } finally {
      await tunnel.close()
    }
  }

  async #dial(tunnel: Tunnel): Promise<Duplex> {
    const { host, port, timeout } = this.#options
    const { connection: signal } = this.#endings
    tunnel.checkName(host)
    await tellWhileWaiting(tunnel.ready({ timeout, signal }), tunnel, this.#log)
    return createDialer(target => tunnel.connect({ ...target, connectTimeout: timeout }))({ host, port }, signal)
  }

  async #carry(connection: Duplex): Promise<Code | 0> {
    const io = openStandardIo()
    try {
      const outcome = await carry(connection, io, this.#endings.connection)
      return outcome === 'done' ? 0 : this.#fail(outcome)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      // A pipe's end that went first is how ssh ends its ProxyCommand: worth its exit code, and no word unless asked for.
      const say = code === 'EPIPE' ? this.#log.debug : this.#log.error
      say(`the connection to ${formatTarget(this.#options)} was cut: ${code ?? message}`)
      return this.#exitCodeOf(error)
    } finally {
      await io.stop()
    }
  }

  /** Waits for those who joined, with stdio given up meanwhile: ssh's caller may be waiting for its end. */
  async #outlast(tunnel: Tunnel): Promise<void> {
    let joined = true
    const unjoined = tunnel.unjoined().then(() => {
      joined = false
    })
    await nextTurn()
    if (!joined) return
    releaseStandardIo()
    await Promise.race([unjoined, aborted(this.#endings.tunnel)])
  }

  /** Says why there is no connection; nothing where someone ended it. ssh's SIGHUP is no failure. */
  #fail(error: unknown): Code | 0 {
    const { aborted: ended, reason } = this.#endings.connection
    if (ended) return reason.message === hangup ? 0 : this.#exitCodeOf(reason)
    if (error === 'dropped') return this.#exitCodeOf(error)
    const told = explainDial(error, this.#options, this.#options.timeout)
    this.#log.error(told instanceof TunnelError ? `${told.message} (${told.code})` : (told as Error).message)
    return this.#exitCodeOf(told)
  }
}

const hangup = 'SIGHUP'

function listenForEndings(): Endings {
  const connection = new AbortController()
  const tunnel = new AbortController()
  let interrupts = 0
  process.on(hangup, () => connection.abort(new Error(hangup)))
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (name === 'SIGTERM' || ++interrupts > 1) tunnel.abort(new Error(name))
      connection.abort(new Error(name))
    })
  }
  return { connection: connection.signal, tunnel: tunnel.signal }
}
