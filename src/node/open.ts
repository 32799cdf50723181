// openTunnel: reads the configuration, claims its key, binds the sockets.
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { decodeKey } from '../core/base/base64.js'
import type { Config } from '../core/config/config.js'
import { isCongestionControlName, listCongestionControls } from '../core/netstack/congestion-control.js'
import { TunnelError } from '../errors.js'
import { KeyClaims } from './claims.js'
import { type ControlDialOptions, type ControlQuestion, claimKey } from './control.js'
import { selectCrypto } from './crypto/select.js'
import { type ConfigSource, loadConfig } from './load-config.js'
import { defaultReadyTimeout } from './ready.js'
import { Tunnel } from './tunnel.js'
import type { TunnelOptions } from './tunnel-options.js'
import { withResolvers } from './with-resolvers.js'

/**
 * Opens a tunnel; resolves when its UDP sockets are bound. `source` is a path, a file: URL, `{ text }`, or a parsed
 * configuration. Rejects with CONFIG_UNREADABLE, CONFIG_INVALID, CONFIG_NO_PRIVATE_KEY, TUNNEL_KEY_IN_USE,
 * CONTROL_DIRECTORY_UNSAFE, UDP_BIND_FAILED, TRACE_FILE_REFUSED, POLICY_UNREADABLE, POLICY_INVALID, NETMAP_INVALID, USAGE, or the
 * signal's reason.
 */
export async function openTunnel(source: ConfigSource, options: TunnelOptions = {}): Promise<Tunnel> {
  const { signal } = options
  signal?.throwIfAborted()
  checkCongestion(options.congestion)
  const policy = hasPolicy(options) ? await (await import('./policy/tunnel-policy.js')).openPolicy(options) : undefined
  const warnings: string[] = []
  const config = await loadConfig(source, message => warnings.push(message))
  const privateKey = choosePrivateKey(config, options.privateKey)
  const crypto = selectCrypto(options.crypto)
  const handle = crypto.privateKey(privateKey)
  const publicKey = handle.publicKey.slice()
  handle.wipe()

  const { promise: opened, resolve, reject } = withResolvers<Tunnel>()
  opened.catch(() => {}) // Those who joined meanwhile hear of it too.
  let tunnel: Tunnel | undefined
  const claimFor = (key: Uint8Array) =>
    claimKey(key, {
      dial: async (host, port, dialing) => dialFor(await opened, host, port, dialing),
      status: () => (tunnel === undefined ? {} : statusOf(tunnel)),
      datagrams: async () => (await opened).createSocket(),
      answer: async (question, signal) => answerTo(await opened, question, signal),
      stop: () => {
        const stop = tunnel && stops.get(tunnel)
        stop?.()
        return stop !== undefined
      },
    })
  const claim = await claimFor(publicKey)
  if (claim.warning !== undefined) warnings.push(claim.warning)
  try {
    signal?.throwIfAborted()
    const claims = new KeyClaims(publicKey, claim, claimFor)
    tunnel = await Tunnel.open({ config, privateKey, options, claims, policy })
    resolve(tunnel)
    if (signal?.aborted) {
      await tunnel.close()
      throw signal.reason
    }
    for (const warning of warnings) tunnel.warn(warning)
    return tunnel
  } catch (error) {
    reject(error)
    await claim.release()
    throw error
  }
}

function hasPolicy({ policy, netmap, policyMode }: TunnelOptions): boolean {
  return policy !== undefined || netmap !== undefined || policyMode !== undefined
}

function checkCongestion(name: unknown): void {
  if (name === undefined || isCongestionControlName(name)) return
  throw new TunnelError('USAGE', `congestion: ${listCongestionControls()} was expected, not ${String(name)}`)
}

function choosePrivateKey(config: Config, given: string | undefined): Uint8Array {
  if (given === undefined) {
    if (config.interface.privateKey !== undefined) return config.interface.privateKey
    throw new TunnelError(
      'CONFIG_NO_PRIVATE_KEY',
      `${config.source} has no PrivateKey: add it, set TUNLESS_PRIVATE_KEY, pass --private-key-file, or give openTunnel the option privateKey`,
    )
  }
  const key = decodeKey(given.trim())
  if (key !== undefined) return key
  throw new TunnelError(
    'CONFIG_INVALID',
    `the private key given is not one (${given.trim().length} characters, where 44 of base64 are wanted): make one with \`tunless genkey\``,
  )
}

const stops = new WeakMap<Tunnel, () => void>()

/** @internal Lets another process of this user end the tunnel by calling `stop`; without it, that is its own process's alone to do. */
export function allowStop(tunnel: Tunnel, stop: () => void): void {
  stops.set(tunnel, stop)
}

/** Dials of those who joined. */
type JoinedDial = (target: { host: string; port: number }, dial: () => Promise<Duplex>) => Promise<Duplex>

const watchers = new WeakMap<Tunnel, JoinedDial>()

/** @internal Lets its owner see what others dial through the tunnel. */
export function watchDials(tunnel: Tunnel, watch: JoinedDial): void {
  watchers.set(tunnel, watch)
}

/** @internal What another process of this user may see: no keys but public ones. */
export function statusOf(tunnel: Tunnel): Record<string, unknown> {
  const { name, dns } = tunnel.config.interface
  const { stack, device } = tunnel.stats()
  return {
    ...(name !== undefined && { name }),
    publicKey: tunnel.publicKey,
    port: tunnel.port,
    stoppable: stops.has(tunnel),
    addresses: tunnel.addresses,
    mtu: tunnel.mtu,
    // Whose names are asked for in the tunnel alone.
    domains: [...dns.search, ...dns.routes.map(route => route.suffix)],
    peers: tunnel.peers(),
    retransmits: stack.tcpRetransmits,
    handshakes: device.sessions,
    ...tunnel.policyStatus,
  }
}

/** @internal What another process asks of this tunnel. */
export async function answerTo(
  tunnel: Tunnel,
  question: ControlQuestion,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  switch (question.op) {
    case 'ping': {
      const { host, op: _, ...options } = question
      return { ...(await tunnel.ping(host, { ...options, signal })) }
    }
    case 'lookup':
      return { addresses: (await tunnel.lookup(question.host, { all: true })).map(({ address }) => address) }
    case 'ready':
      return { ...(await tunnel.ready({ timeout: question.timeout ?? defaultReadyTimeout, signal })) }
  }
}

/** A connection for another process that joined this tunnel. */
async function dialFor(tunnel: Tunnel, host: string, port: number, dialing: ControlDialOptions): Promise<Duplex> {
  const { signal, timeout = defaultReadyTimeout } = dialing
  const dial = async () => {
    const socket = tunnel.connect({ host, port, signal, connectTimeout: timeout, allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
  }
  const watch = watchers.get(tunnel)
  return watch === undefined ? dial() : watch({ host, port }, dial)
}
