// The side of the control socket that joins a tunnel which another process runs.
import { readdirSync, readlinkSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { TunnelError } from '../../errors.js'
import type { PingResult } from '../ping.js'
import { JoinedDatagrams } from './datagrams.js'
import { findDirectories, here, keyName, type Surroundings } from './directory.js'
import { Lease } from './lease.js'
import { goneError, longestReply, type Question, type Request, readLine, readReply, writeLine } from './protocol.js'
import { isComplete } from './relay.js'

/** How long a running process may take to answer before it counts as stuck, ms. A dial takes as long as it takes. */
const answerTimeout = 10_000

/** How long `listTunnels` waits for each, ms. */
const statusTimeout = 2000

/** What a process tells of its tunnel. */
export interface TunnelStatus {
  readonly pid: number
  /** `Name` of its configuration. */
  readonly name?: string
  /** Base64. */
  readonly publicKey: string
  readonly port: number
  /** Whether `tunless down` ends it. */
  readonly stoppable: boolean
  readonly peers: readonly {
    readonly publicKey: string
    readonly hasPresharedKey: boolean
    readonly endpoint?: string
    readonly allowedIps: readonly string[]
    /** Ms since 1970; 0 before the first one. */
    readonly lastHandshake: number
    readonly rxBytes: number
    readonly txBytes: number
    readonly persistentKeepalive: number
  }[]
}

/** What ready() tells of the first peer that answered. */
export interface ReadyPeer {
  readonly name?: string
  readonly publicKey: string
  readonly endpoint?: string
  /** ms. */
  readonly rtt?: number
}

/** A tunnel of another process. It goes on at least until {@link JoinedTunnel.leave}. */
export interface JoinedTunnel {
  /** The process that runs it. */
  readonly pid: number
  /** Resolves when the process that runs it has ended or closed it. */
  readonly closed: Promise<void>
  /**
   * A connection through it. Rejects with the dial's own error (a TunnelError, or a socket's code), with TUNNEL_CLOSED when the
   * process ended, or with the signal's reason. `timeout`: ms, 0 waits forever.
   */
  dial(host: string, port: number, options?: { timeout?: number; signal?: AbortSignal }): Promise<Duplex>
  status(): Promise<Record<string, unknown>>
  /** A UDP socket on a free port of the tunnel's addresses. */
  datagrams(): JoinedDatagrams
  /** As Tunnel.ping(), Tunnel.lookup() and Tunnel.ready(); they reject as dial() does. */
  ping(
    host: string,
    options?: { size?: number; timeout?: number; whole?: boolean; signal?: AbortSignal },
  ): Promise<PingResult>
  lookup(host: string, signal?: AbortSignal): Promise<string[]>
  ready(options?: { timeout?: number; signal?: AbortSignal }): Promise<{ readonly peer?: ReadyPeer }>
  /** Ends the hold on the tunnel; connections that still run go on to their own end. */
  leave(): void
}

/**
 * Joins the tunnel that a process of this user runs with this key; undefined if none does.
 * Rejects with CONTROL_DIRECTORY_UNSAFE.
 */
export async function joinTunnel(
  publicKey: Uint8Array,
  surroundings: Surroundings = here,
): Promise<JoinedTunnel | undefined> {
  for (const directory of findDirectories(surroundings)) {
    const joined = await joinAt(join(directory, keyName(publicKey)))
    if (joined !== undefined) return joined
  }
  return undefined
}

/**
 * Asks the process that runs a tunnel with this key to end; undefined if none does. Resolves once it asked for the end, with
 * `ended` to wait for. Rejects with TUNNEL_NOT_STOPPED where that process does not do so for others or does not answer in `timeout`
 * ms, or with CONTROL_DIRECTORY_UNSAFE.
 */
export async function stopTunnel(
  publicKey: Uint8Array,
  { timeout = answerTimeout, surroundings = here }: { timeout?: number; surroundings?: Surroundings } = {},
): Promise<{ readonly pid: number; readonly ended: Promise<void> } | undefined> {
  for (const directory of findDirectories(surroundings)) {
    const path = join(directory, keyName(publicKey))
    const late = AbortSignal.timeout(timeout)
    try {
      const { socket, reply } = await ask(path, { op: 'stop' }, late)
      const ended = new Promise<void>(resolve => socket.once('close', () => resolve()))
      socket.on('end', () => socket.destroy()).resume()
      return { pid: Number(reply.pid), ended }
    } catch (error) {
      if (late.aborted) throw stuckError(path)
      if ((error as NodeJS.ErrnoException).code !== 'TUNNEL_CLOSED') throw error
    }
  }
  return undefined
}

function stuckError(path: string): TunnelError {
  let holder = ''
  try {
    holder = readlinkSync(path)
  } catch {
    // It has ended just now.
  }
  const pid = /\.(\d+)-/.exec(holder)?.[1]
  const remedy = pid === undefined ? 'try again' : `end it by \`kill -KILL ${pid}\``
  return new TunnelError('TUNNEL_NOT_STOPPED', `process ${pid ?? 'of that key'} does not answer: ${remedy}`)
}

/** The tunnels that processes of this user run, this one's included. Those that do not answer are left out. */
export async function listTunnels(surroundings: Surroundings = here): Promise<TunnelStatus[]> {
  const names = findDirectories(surroundings).flatMap(directory =>
    readdirSync(directory)
      .filter(name => /^[0-9a-f]{16}$/.test(name))
      .map(name => join(directory, name)),
  )
  const statuses = await Promise.all(names.sort().map(statusAt))
  return statuses.filter(status => status !== undefined)
}

async function statusAt(path: string): Promise<TunnelStatus | undefined> {
  try {
    const { reply, socket } = await ask(path, { op: 'status' }, AbortSignal.timeout(statusTimeout))
    socket.destroy()
    return readStatus(reply)
  } catch {
    return undefined
  }
}

/** Undefined for the reply of a version that says less. */
function readStatus({
  pid,
  name,
  publicKey,
  port,
  stoppable,
  peers,
}: Record<string, unknown>): TunnelStatus | undefined {
  if (typeof pid !== 'number' || typeof publicKey !== 'string' || typeof port !== 'number') return undefined
  if (!Array.isArray(peers)) return undefined
  return {
    pid,
    ...(typeof name === 'string' && { name }),
    publicKey,
    port,
    stoppable: stoppable === true,
    peers: peers.map(peer => ({
      publicKey: String(peer.publicKey),
      hasPresharedKey: peer.hasPresharedKey === true,
      ...(typeof peer.endpoint === 'string' && { endpoint: peer.endpoint }),
      allowedIps: Array.isArray(peer.allowedIps) ? peer.allowedIps.map(String) : [],
      lastHandshake: typeof peer.lastHandshake === 'string' ? Date.parse(peer.lastHandshake) : 0,
      rxBytes: Number(peer.rxBytes),
      txBytes: Number(peer.txBytes),
      persistentKeepalive: Number(peer.persistentKeepalive),
    })),
  }
}

/** Joins at a control socket's path; undefined if nobody listens there. */
export async function joinAt(path: string): Promise<JoinedTunnel | undefined> {
  let joined: Asked
  try {
    joined = await ask(path, { op: 'join' }, AbortSignal.timeout(answerTimeout))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'TUNNEL_CLOSED') return undefined
    throw error
  }
  const { socket } = joined
  const lease = new Lease(socket)
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  socket.unref()
  let dials = 0
  const question = async (request: Question, signal?: AbortSignal) => {
    const { reply, socket: asked } = await ask(path, request, signal)
    asked.destroy()
    return reply
  }
  return {
    pid: Number(joined.reply.pid),
    closed,
    dial: async (host, port, { timeout, signal } = {}) => {
      const number = dials++
      const request: Request = { op: 'dial', host, port, lease: String(joined.reply.lease), dial: number }
      const { socket: connection } = await ask(path, timeout === undefined ? request : { ...request, timeout }, signal)
      lease.add(number, {
        cut() {
          connection.destroy(cutError())
          lease.tell('cut', number) // The other side waits for that: it cannot see a close after an end.
        },
      })
      connection.once('finish', () => lease.tell('end', number))
      connection.once('close', () => lease.remove(number, !isComplete(connection)))
      return connection
    },
    status: async () => {
      const { reply, socket: asked } = await ask(path, { op: 'status' }, AbortSignal.timeout(answerTimeout))
      asked.destroy()
      const { ok: _, ...status } = reply
      return status
    },
    datagrams: () =>
      new JoinedDatagrams(ask(path, { op: 'udp' }, AbortSignal.timeout(answerTimeout)).then(asked => asked.socket)),
    ping: async (host, { signal, ...options } = {}) => {
      const { rtt, ttl, address } = await question({ op: 'ping', host, ...options }, signal)
      return { rtt: Number(rtt), ttl: Number(ttl), address: String(address) }
    },
    lookup: async (host, signal) => {
      const { addresses } = await question({ op: 'lookup', host }, signal)
      return (addresses as unknown[]).map(String)
    },
    ready: async ({ timeout, signal } = {}) => {
      const { peer } = await question({ op: 'ready', ...(timeout !== undefined && { timeout }) }, signal)
      return peer === undefined ? {} : { peer: peer as ReadyPeer }
    },
    leave: () => lease.leave(),
  }
}

function cutError(): NodeJS.ErrnoException {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })
}

interface Asked {
  readonly socket: Socket
  readonly reply: Record<string, unknown>
}

/** Sends a request and reads the reply. Rejects with TUNNEL_CLOSED where nobody answers. */
async function ask(path: string, request: Request, signal?: AbortSignal): Promise<Asked> {
  signal?.throwIfAborted()
  const socket = connect({ path, allowHalfOpen: true })
  let failure: unknown
  socket.on('error', error => {
    failure ??= error
  })
  writeLine(socket, request)
  const line = await readLine(socket, longestReply, signal)
  try {
    if (line !== undefined) return { socket, reply: readReply(line) }
    signal?.throwIfAborted()
    throw goneError(failure)
  } catch (error) {
    socket.destroy()
    throw error
  }
}
