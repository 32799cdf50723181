// What goes out by the host's own network because the user named it, `--direct`: a dialer in front of two others. Without a pattern
// nothing does.
import { connect } from 'node:net'
import {
  type IpAddress,
  maskAddress,
  type Prefix,
  parseAddress,
  parsePrefix,
  sameAddress,
  unmapAddress,
} from '../core/base/address.js'
import { abortSignalOf, type DialSignal } from './departure.js'
import { createDialer, type Dialer, dialFailure, formatTarget, type Target } from './dialer.js'

export type DirectPattern =
  /** This name alone. */
  | { readonly kind: 'name'; readonly name: string }
  /** Every name that ends so; it begins with a dot. */
  | { readonly kind: 'suffix'; readonly suffix: string }
  /** Targets given as addresses in it. */
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  /** Whatever the tunnel has no route for. */
  | { readonly kind: 'rest' }

/** `web1`, `.example.com`, `192.0.2.0/24`, `2001:db8::1`, `*`; undefined for anything else. */
export function parseDirectPattern(text: string): DirectPattern | undefined {
  if (text === '*') return { kind: 'rest' }
  const prefix = parsePrefix(text)
  if (prefix !== undefined) return { kind: 'prefix', prefix }
  const name = plainName(text)
  if (!/^\.?[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9_])?$/.test(name) || /^[\d.]+$/.test(name)) return undefined
  return name.startsWith('.') ? { kind: 'suffix', suffix: name } : { kind: 'name', name }
}

export interface DirectOptions {
  readonly patterns: readonly DirectPattern[]
  readonly tunnel: Dialer
  readonly host: Dialer
  /** Asked for `*` alone: what the tunnel knows of a name that it cannot dial. */
  readonly names: TunnelNames
  /** A connection is about to go out by the host. */
  readonly onDirect: (target: Target) => void
}

export interface TunnelNames {
  /** Whether a name that the tunnel does not know would be its own: the host's resolver must not hear of it. */
  isOwn(name: string, signal: DialSignal): Promise<boolean>
  /** The addresses of a name that it knows. */
  lookup(name: string, signal: DialSignal): Promise<readonly string[]>
}

/** Dials by the host what a pattern names, and by the tunnel everything else. */
export function createDirectDialer({ patterns, tunnel, host, names, onDirect }: DirectOptions): Dialer {
  const takesRest = patterns.some(pattern => pattern.kind === 'rest')
  const dialByHost: Dialer = (target, signal) => {
    onDirect(target)
    return host(target, signal)
  }
  /** By the addresses that the tunnel has for it: the name itself stays in there. */
  const dialKnown: Dialer = async (target, signal) => {
    const addresses = parseAddress(target.host) ? [target.host] : await names.lookup(target.host, signal)
    onDirect(target)
    let failure: unknown
    for (const address of addresses) {
      try {
        return await host({ host: address, port: target.port }, signal)
      } catch (error) {
        signal.throwIfAborted()
        failure = error
      }
    }
    throw failure
  }
  return async (target, signal) => {
    if (isDirect(target.host, patterns)) return dialByHost(target, signal)
    try {
      return await tunnel(target, signal)
    } catch (error) {
      const failure = dialFailure(error)
      if (!takesRest || signal.aborted) throw error
      if (failure === 'no-route') return dialKnown(target, signal)
      if (failure !== 'unknown-host' || (await names.isOwn(target.host, signal))) throw error
      return dialByHost(target, signal)
    }
  }
}

/**
 * Whether a name is at or below one of the domains. One without a dot is below them all, as a search takes it; with a dot
 * at its end it is not searched for.
 */
export function isOfDomains(name: string, domains: readonly string[]): boolean {
  const plain = plainName(name)
  if (!name.includes('.')) return domains.length > 0
  return domains.map(plainName).some(domain => plain === domain || plain.endsWith(`.${domain}`))
}

/** Whether a pattern names the host; `*` names none. */
export function isDirect(host: string, patterns: readonly DirectPattern[]): boolean {
  const literal = parseAddress(host)
  const address = literal && unmapAddress(literal)
  const name = plainName(host)
  return patterns.some(pattern => {
    if (pattern.kind === 'prefix') return address !== undefined && covers(pattern.prefix, address)
    if (pattern.kind === 'name') return pattern.name === name
    return pattern.kind === 'suffix' && name.endsWith(pattern.suffix) && name.length > pattern.suffix.length
  })
}

function covers({ address, length }: Prefix, other: IpAddress): boolean {
  return sameAddress(maskAddress(other, length), address)
}

function plainName(text: string): string {
  return text.toLowerCase().replace(/\.$/, '')
}

/** Dials by the host's network and names. `timeout` bounds each dial, ms; 0 does not. */
export function createHostDialer(timeout: number): Dialer {
  return boundDial(
    createDialer(options => connect({ ...options, noDelay: true })),
    timeout,
  )
}

/** Gives every dial up after `timeout` ms; 0 bounds none. */
export function boundDial(dial: Dialer, timeout: number): Dialer {
  if (timeout === 0) return dial
  return async (target, signal) => {
    const late = AbortSignal.timeout(timeout)
    try {
      return await dial(target, AbortSignal.any([abortSignalOf(signal), late]))
    } catch (error) {
      if (!late.aborted || signal.aborted) throw error
      throw Object.assign(new Error(`connect ETIMEDOUT ${formatTarget(target)}`), { code: 'ETIMEDOUT' })
    }
  }
}
