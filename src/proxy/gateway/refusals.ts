// What a peer is told of a dial that came to nothing.
import type { ForwardRefusal } from '../../node/forwarder.js'
import { type DialFailure, dialFailure, type Target } from '../dialer.js'

const refusalOf: Readonly<Record<DialFailure, ForwardRefusal>> = {
  refused: 'refused',
  unreachable: 'host-unreachable',
  'no-route': 'host-unreachable',
  'unknown-host': 'host-unreachable',
  unresolved: 'host-unreachable',
  denied: 'prohibited',
  timeout: 'drop',
  'no-handshake': 'drop',
  failed: 'drop',
}

export function refusalFor(error: unknown): ForwardRefusal {
  return refusalOf[dialFailure(error)]
}

/** Denied here, before any dial. */
export function deniedError({ host }: Target, why: string): Error {
  return Object.assign(new Error(`${host}: ${why}`), { code: 'EACCES' })
}
