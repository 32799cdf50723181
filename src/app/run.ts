// `tunless run`: a command with a tunnel around it. Brings the tunnel up or joins the one of its key, waits for targets, starts the
// command with proxies in its environment, and ends with it.
import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { longestConfig } from '../core/config/lines.js'
import { TunnelError } from '../errors.js'
import { type ControlHandlers, type ControlWayIn, openControlWayIn } from '../node/control.js'
import type { Dialer, Target } from '../proxy/dialer.js'
import { boundDial, type DirectPattern, parseDirectPattern } from '../proxy/direct.js'
import { type ConfOptions, readConf } from './conf.js'
import { describeReady } from './describe.js'
import { joinVariable } from './join.js'
import { createLog, type Log, type LogLevel } from './log.js'
import { Observer, type ObserverOptions } from './observe/observer.js'
import type { OpenOptions } from './open-options.js'
import { type Reach, withReach } from './reach.js'
import { Interrupted, type RunSignals, runCommand, takeSignals } from './run-command.js'
import { createRunDialer, statusNow } from './run-dialer.js'
import { childEnvironment, findWrappers } from './run-environment.js'
import { summaryLines, TargetCount, type TunnelTotals, totalsOf, writeJobSummary } from './run-summary.js'
import { waitForTargets } from './run-wait.js'
import { readStdin } from './stdin.js'
import { watchTunnel } from './watch.js'
import { openByWay, openWaysIn, tellWaysIn, type WayIn, type WaysInOptions } from './ways-in.js'
import { keepYoungHeapSmall } from './young-heap.js'

/** How long connections that the command left may take for their last bytes, ms, and how often that is looked at. */
const longestDrain = 1000
const drainPause = 10

export interface RunOptions extends ConfOptions, OpenOptions, WaysInOptions, ObserverOptions {
  readonly level: LogLevel
  /** Each has to accept a connection before the command starts. */
  readonly wait: readonly Target[]
  /** As --direct has them. */
  readonly direct: readonly string[]
  /** Whether the command's proxies ask for credentials. */
  readonly proxyAuth: boolean
  /** A program and its arguments. */
  readonly command: readonly string[]
}

/** Returns the command's exit code, or 128 + N where signal N came before it had started. Rejects with what else prevented it. */
export async function run(options: RunOptions): Promise<number> {
  keepYoungHeapSmall()
  const log = createLog(options.level)
  const direct = options.direct.map(readPattern)
  const sources = { env: process.env, readStdin: () => readStdin(longestConfig), warn: log.warn }
  const config = process.env[joinVariable] ? undefined : await readConf(options, sources)
  if (config === undefined && options.file !== undefined)
    log.warn(`-c ${options.file} is not used: ${joinVariable} names a tunnel to join`)
  for (const note of config?.notes ?? []) log.info(note)
  const signals = takeSignals()
  const observer = await Observer.open(options, log)
  try {
    return await withReach(
      {
        ...options,
        readConf: config === undefined ? () => readConf(options, sources) : async () => config,
        log,
        signal: signals.interrupted,
        cut: signals.interrupted,
      },
      reach => new Run(options, direct, reach, observer, signals, log).run(),
    )
  } catch (error) {
    const { reason } = signals.interrupted
    if (!(reason instanceof Interrupted)) throw error
    log.info(`${reason.message}, the command was not started`)
    return reason.code
  } finally {
    await observer.close()
    signals.done()
  }
}

function readPattern(text: string): DirectPattern {
  const pattern = parseDirectPattern(text)
  if (pattern !== undefined) return pattern
  throw new TunnelError(
    'USAGE',
    `--direct ${JSON.stringify(text.slice(0, 80))}: write a name, .SUFFIX, an address, a CIDR, or '*' for all that the tunnel has no route for`,
  )
}

class Run {
  readonly #options: RunOptions
  readonly #reach: Reach
  readonly #observer: Observer
  readonly #signals: RunSignals
  readonly #log: Log
  readonly #denied = new TargetCount()
  readonly #direct = new TargetCount()
  readonly #dial: Dialer
  readonly #ways: WayIn[] = []
  #wayIn: ControlWayIn | undefined

  constructor(
    options: RunOptions,
    direct: readonly DirectPattern[],
    reach: Reach,
    observer: Observer,
    signals: RunSignals,
    log: Log,
  ) {
    this.#options = options
    this.#reach = reach
    this.#observer = observer
    this.#signals = signals
    this.#log = log
    this.#dial = createRunDialer({
      reach,
      timeout: options.timeout,
      patterns: direct,
      wrap: dial => observer.dialer(dial),
      denied: this.#denied,
      direct: this.#direct,
      log,
    })
  }

  async run(): Promise<number> {
    const { own, pid } = this.#reach
    try {
      if (own !== undefined) {
        watchTunnel(own, this.#log)
        this.#observer.watch(own, () => openByWay(this.#ways))
      } else this.#log.info(`uses the tunnel of process ${pid}`)
      const ready = await this.#reach.ready({ timeout: this.#options.timeout, signal: this.#signals.interrupted })
      this.#observer.ready()
      if (own !== undefined) this.#log.info(`the tunnel stands: ${describeReady(ready, own.port)}`)
      const env = await this.#openWays()
      await this.#waitForTargets()
      this.#signals.interrupted.throwIfAborted()
      return await this.#runCommand(env)
    } finally {
      await Promise.all([...this.#ways.map(way => way.close()), this.#wayIn?.close()])
    }
  }

  /** Returns the command's environment. */
  async #openWays(): Promise<Record<string, string | undefined>> {
    const { proxyAuth } = this.#options
    const carrier = {
      dial: this.#dial,
      tunnel: this.#reach.own,
      openDatagrams: () => this.#reach.datagrams(),
      onConnection: this.#observer.onConnection,
    }
    const credentials = proxyAuth
      ? { user: randomBytes(8).toString('hex'), password: randomBytes(16).toString('hex') }
      : undefined
    if (credentials === undefined) {
      this.#log.warn('--no-proxy-auth: every process of this host can use the tunnel while the command runs')
    }
    const proxies: WayIn[] = []
    await openWaysIn(
      { timeout: this.#options.timeout, proxies: [{ host: '127.0.0.1', port: 0 }], forwards: [], reverses: [] },
      { ...carrier, ...(credentials && { users: [[credentials.user, credentials.password]] }) },
      this.#log,
      proxies,
    ).finally(() => this.#ways.push(...proxies))
    const others: WayIn[] = []
    await openWaysIn(this.#options, carrier, this.#log, others).finally(() => this.#ways.push(...others))
    tellWaysIn(others, this.#log)
    const join = await this.#openWayIn()
    const wrappers = join === undefined ? undefined : this.#findWrappers()
    const proxy = (proxies[0] as WayIn).report as unknown as Target
    return childEnvironment(process.env, { proxy, credentials, join, wrappers })
  }

  /** For `tunless nc` and its like below the command: what they dial is counted, and --direct holds for them, too. */
  async #openWayIn(): Promise<string | undefined> {
    const reach = this.#reach
    const handlers: ControlHandlers = {
      dial: (host, port, { signal, timeout = 0 }) =>
        this.#observer.joined({ host, port }, () => boundDial(this.#dial, timeout)({ host, port }, signal)),
      datagrams: async () => reach.datagrams(),
      status: () => statusNow(reach),
      async answer(question, signal) {
        if (question.op === 'ping') return { ...(await reach.ping(question.host, { ...question, signal })) }
        if (question.op === 'lookup') return { addresses: await reach.lookup(question.host, signal) }
        return { ...(await reach.ready({ ...question, signal })) }
      },
    }
    const opened = await openControlWayIn(handlers)
    if ('path' in opened) {
      this.#wayIn = opened
      return opened.path
    }
    this.#warnOfSsh(opened.reason)
    return undefined
  }

  #findWrappers(): string | undefined {
    const found = findWrappers()
    if ('path' in found) return found.path
    this.#warnOfSsh(found.reason)
    return undefined
  }

  #warnOfSsh(reason: string): void {
    this.#log.warn(`ssh, scp and sftp do not go through the tunnel by themselves: ${reason}`)
  }

  #waitForTargets(): Promise<void> {
    const { wait, timeout } = this.#options
    const options = { dial: this.#dial, timeout, signal: this.#signals.interrupted, log: this.#log }
    return waitForTargets(wait, options)
  }

  async #runCommand(env: Record<string, string | undefined>): Promise<number> {
    const { command } = this.#options
    const { pid } = this.#reach
    const name = basename(command[0] as string)
    // A tunnel of our own counts from its beginning.
    const before = this.#reach.own === undefined ? await this.#totals() : totalsOf({})
    const began = performance.now()
    let isRunning = true
    void this.#reach.ended.then(() => {
      if (isRunning) this.#log.error(`the tunnel${whose(pid)} has ended: the command goes on without it`)
    })
    const ended = await runCommand(command, env, this.#signals)
    isRunning = false
    if (typeof ended === 'object') {
      this.#log.error(ended.reason)
      return ended.code
    }
    const duration = performance.now() - began
    await this.#drain()
    const after = await this.#totals()
    if (before !== undefined && after !== undefined) {
      const report = {
        command: name,
        code: ended,
        duration,
        before,
        after,
        sharedWith: pid,
        denied: this.#denied,
        direct: this.#direct,
      }
      for (const line of summaryLines(report)) this.#log.info(line)
      const failure = writeJobSummary(report, process.env.GITHUB_STEP_SUMMARY)
      if (failure !== undefined) this.#log.warn(failure)
    } else this.#log.info(`${name}: exit code ${ended}; the tunnel${whose(pid)} had ended before`)
    return ended
  }

  /** Undefined where the tunnel has ended. */
  async #totals(): Promise<TunnelTotals | undefined> {
    try {
      return totalsOf(await statusNow(this.#reach))
    } catch {
      return undefined
    }
  }

  /** What the command wrote last may not have left yet. */
  async #drain(): Promise<void> {
    const until = performance.now() + longestDrain
    const isBusy = () => this.#ways.some(way => way.connections > 0)
    while (isBusy() && performance.now() < until && !this.#signals.interrupted.aborted) await sleep(drainPause)
  }
}

function whose(pid: number | undefined): string {
  return pid === undefined ? '' : ` of process ${pid}`
}
