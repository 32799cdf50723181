// A tunnel for a command that asks something of it and ends: the running one where there is one, else one of its own.
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TunnelError } from '../errors.js'
import { type JoinedTunnel, joinTunnel } from '../node/control.js'
import { openTunnel } from '../node/open.js'
import type { PingOptions, PingResult } from '../node/ping.js'
import type { ReadyOptions } from '../node/ready.js'
import type { Tunnel } from '../node/tunnel.js'
import type { ConnectedDatagrams } from '../proxy/datagram-forward.js'
import { createDialer } from '../proxy/dialer.js'
import type { RelayDatagrams } from '../proxy/service.js'
import type { CompleteConfig } from './conf.js'
import { joinGiven, joinOrOpen } from './join.js'
import { mustKeepTo } from './joined-policy.js'
import type { Log } from './log.js'
import { type OpenOptions, openOptions } from './open-options.js'
import { publicKeyOf } from './public-key.js'
import { aborted } from './stop.js'
import { tellWhileWaiting } from './waiting.js'

/** For what is sent to many, or to one. */
export type CarriedDatagrams = RelayDatagrams & ConnectedDatagrams

/** What can be asked of a tunnel, whoever runs it. */
export interface Reach {
  /** The process that runs it; undefined if that is this one. */
  readonly pid: number | undefined
  ready(options: Omit<ReadyOptions, 'target'>): Promise<{ readonly peer?: ReachedPeer }>
  lookup(host: string, signal?: AbortSignal): Promise<readonly string[]>
  ping(host: string, options: PingOptions): Promise<PingResult>
  /** `timeout` in ms; 0 waits without end. */
  dial(host: string, port: number, options: { timeout: number; signal: AbortSignal }): Promise<Duplex>
  /** A UDP socket in it. */
  datagrams(): CarriedDatagrams
  /** The tunnel itself, where it is this process's own. */
  readonly own: Tunnel | undefined
  /** Resolves when the tunnel is closed, by whoever runs it. */
  readonly ended: Promise<void>
  /** What the process that runs it tells of it. */
  status(): Promise<Record<string, unknown>>
}

export interface ReachedPeer {
  readonly name?: string
  readonly publicKey: string
  readonly endpoint?: string
  readonly rtt?: number
}

export interface ReachOptions extends OpenOptions {
  /** Read only where no tunnel was given by TUNLESS_JOIN. */
  readonly readConf: () => Promise<CompleteConfig>
  readonly log: Log
  /** Ends the command; what others do with a tunnel that it opened goes on until `cut` aborts, too. */
  readonly signal: AbortSignal
  readonly cut: AbortSignal
}

/** Runs `use` with the tunnel, and closes or leaves it afterwards. A tunnel of its own outlives `use` until nobody joins it. */
export async function withReach<T>(options: ReachOptions, use: (reach: Reach) => Promise<T>): Promise<T> {
  const { log } = options
  const useJoined = async (joined: JoinedTunnel) => {
    log.debug(`joined the tunnel of process ${joined.pid}`)
    try {
      await mustKeepTo(options, joined, log)
      return await use(joinedReach(joined))
    } finally {
      joined.leave()
    }
  }
  const given = await joinGiven(process.env)
  if (given !== undefined) return useJoined(given)
  const config = await options.readConf()
  const publicKey = publicKeyOf(config.interface.privateKey)
  // In a box: what `use` gives may be nothing.
  const { result } = await joinOrOpen(
    async () => {
      const joined = await joinTunnel(publicKey)
      return joined && { result: await useJoined(joined) }
    },
    async () => {
      const tunnel = await openTunnel(config, { signal: options.signal, ...openOptions(options) })
      try {
        tunnel.on('warning', log.warn)
        const result = await use(ownReach(tunnel, log))
        await outlast(tunnel, options)
        return { result }
      } finally {
        await tunnel.close()
      }
    },
  )
  return result
}

function joinedReach(joined: JoinedTunnel): Reach {
  return {
    pid: joined.pid,
    own: undefined,
    ended: joined.closed,
    datagrams: () => joined.datagrams(),
    ready: options => joined.ready(options),
    lookup: (host, signal) => joined.lookup(host, signal),
    ping: (host, options) => joined.ping(host, options),
    dial: (host, port, options) => joined.dial(host, port, options),
    status: () => joined.status(),
  }
}

function ownReach(tunnel: Tunnel, log: Log): Reach {
  return {
    pid: undefined,
    own: tunnel,
    datagrams: () => tunnel.createSocket(),
    ended: new Promise(resolve => tunnel.once('close', () => resolve())),
    ready: options => tellWhileWaiting(tunnel.ready(options), tunnel, log),
    lookup: async host => {
      const found = await tunnel.lookup(host, { all: true }).catch(error => {
        throw error.cause instanceof TunnelError ? error.cause : error
      })
      return found.map(({ address }) => address)
    },
    ping: (host, options) => tunnel.ping(host, options),
    dial: (host, port, { timeout, signal }) =>
      createDialer(target => tunnel.connect({ ...target, connectTimeout: timeout }))({ host, port }, signal),
    status: async () => ({}),
  }
}

/** Others may have joined meanwhile, and their connections are theirs. */
async function outlast(tunnel: Tunnel, { log, cut }: ReachOptions): Promise<void> {
  let joined = true
  const unjoined = tunnel.unjoined().then(() => {
    joined = false
  })
  await nextTurn()
  if (!joined) return
  log.info('others use this tunnel now; it stays until they end, or a second signal')
  await Promise.race([unjoined, aborted(cut)])
}

/** SIGINT and the like end what the command does; a second one, or SIGTERM, ends the tunnel under others, too. */
export function endings(): { signal: AbortSignal; cut: AbortSignal; done(): void } {
  const signal = new AbortController()
  const cut = new AbortController()
  const hear = (name: NodeJS.Signals) => {
    const reason = new Error(`stopped by ${name}`)
    if (name === 'SIGTERM' || signal.signal.aborted) cut.abort(reason)
    signal.abort(reason)
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, hear)
  return {
    signal: signal.signal,
    cut: cut.signal,
    done() {
      for (const name of names) process.off(name, hear)
    },
  }
}
