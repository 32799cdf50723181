// The file of --ready-file: there once the tunnel stands, whole from the first moment.
import { accessSync, constants, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { TunnelError } from '../errors.js'
import type { Tunnel } from '../node/tunnel.js'
import type { Ready } from '../node/tunnel-options.js'
import type { Target } from '../proxy/dialer.js'
import type { ListenAt, LocalPath } from '../proxy/listener.js'

/** Its content, as JSON. Documented in docs/configuration.md. */
export interface ReadyReport {
  readonly pid: number
  /** Base64. */
  readonly publicKey: string
  /** Own addresses in the tunnel. */
  readonly addresses: readonly string[]
  /** The UDP port. */
  readonly port: number
  /** The first peer that answered; absent when none has an Endpoint. `rtt` in ms. */
  readonly peer?: {
    readonly name?: string
    readonly publicKey: string
    readonly endpoint?: string
    readonly rtt?: number
  }
  /** Ports as bound. */
  readonly listeners: readonly ListenerReport[]
  /** Where --metrics is, as bound. */
  readonly metrics?: ListenAt
  /** Of serve: where it leads, as given. */
  readonly routes?: readonly string[]
}

/** A local address has host and port, a unix socket its path. */
export type ListenerReport =
  | (ListenAt & { readonly type: 'proxy' })
  | (ListenAt & { readonly type: 'forward'; readonly target: Target; readonly protocol?: 'udp' })
  /** On the tunnel's addresses; `::` is all of them. Its target is on this host. */
  | { readonly type: 'reverse'; readonly host: string; readonly port: number; readonly target: Target | LocalPath }

export function readyReport(
  tunnel: Tunnel,
  { peer }: Ready,
  places: {
    readonly listeners: readonly { readonly report: ListenerReport }[]
    readonly metrics: ListenAt | undefined
    readonly routes?: readonly string[]
  },
): ReadyReport {
  const { listeners, metrics, routes } = places
  return {
    pid: process.pid,
    publicKey: tunnel.publicKey,
    addresses: tunnel.addresses,
    port: tunnel.port,
    ...(peer && {
      peer: {
        ...(peer.name !== undefined && { name: peer.name }),
        publicKey: peer.publicKey,
        ...(peer.endpoint !== undefined && { endpoint: peer.endpoint }),
        ...(peer.rtt !== undefined && { rtt: peer.rtt }),
      },
    }),
    listeners: listeners.map(listener => listener.report),
    ...(metrics && { metrics }),
    ...(routes && { routes }),
  }
}

/**
 * Removes what an earlier run left, so that who waits for the file waits for this one. Throws READY_FILE_FAILED, also where it
 * could not be written later.
 */
export function clearReadyFile(path: string): void {
  attempt(path, () => {
    accessSync(dirname(path), constants.W_OK)
    rmSync(path, { force: true })
  })
}

/** Throws READY_FILE_FAILED. */
export function writeReadyFile(path: string, report: ReadyReport): void {
  replaceFile(path, `${JSON.stringify(report, undefined, 2)}\n`)
}

/** Writes beside and renames. Throws READY_FILE_FAILED. */
export function replaceFile(path: string, text: string): void {
  const beside = `${path}.${process.pid}.tmp`
  attempt(path, () => {
    try {
      // Whatever stands there, in a directory of many a link to another's file, is not written to.
      rmSync(beside, { force: true })
      writeFileSync(beside, text, { flag: 'wx' })
      renameSync(beside, path)
    } finally {
      rmSync(beside, { force: true })
    }
  })
}

/** Removes the file at the end, unless another run has written it since. Never throws. */
export function removeReadyFile(path: string): void {
  try {
    if (JSON.parse(readFileSync(path, 'utf8')).pid === process.pid) rmSync(path)
  } catch {
    // It is gone, or no longer ours.
  }
}

function attempt(path: string, action: () => void): void {
  try {
    action()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new TunnelError('READY_FILE_FAILED', `cannot write ${path} (${code ?? message}): check its directory`, {
      cause,
    })
  }
}
