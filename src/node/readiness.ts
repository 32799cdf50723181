// Why nobody answers: WireGuard is silent by design, so what can be said is inferred from what was sent and heard.
import type { DeviceCounters } from '../core/wireguard/device.js'
import { TunnelError } from '../errors.js'

/** What is known about one peer that was called. */
export interface Attempt {
  /** Its name, else the beginning of its public key. */
  readonly label: string
  /** The endpoint as configured, or where it was last heard; undefined while there is neither. */
  readonly endpoint: string | undefined
  /** Since it was last heard, ms; infinite if it never was. */
  readonly silentFor: number
  /** Initiations sent. */
  readonly initiations: number
  /** Cookie replies taken from it. */
  readonly cookies: number
  /** The resolver's error while its name has no address. */
  readonly unresolved: NodeJS.ErrnoException | undefined
}

export interface Evidence {
  readonly attempts: readonly Attempt[]
  /** How long was waited, ms; undefined where something else ended the wait. */
  readonly timeout: number | undefined
  /** Our own UDP port. */
  readonly port: number
  /** Datagrams received since the tunnel was opened. */
  readonly received: number
  readonly counters: Readonly<DeviceCounters>
  /** The last error of the UDP socket, ECONNREFUSED or EHOSTUNREACH from an ICMP message for instance. */
  readonly udpError: NodeJS.ErrnoException | undefined
}

/** The error of `ready()` when no handshake was completed in time. */
export function explainSilence(evidence: Evidence): TunnelError {
  const { attempts } = evidence
  const unresolved = attempts.find(attempt => attempt.unresolved !== undefined)
  if (unresolved !== undefined && attempts.every(attempt => attempt.unresolved !== undefined)) {
    const cause = unresolved.unresolved
    return new TunnelError(
      'ENDPOINT_UNRESOLVED',
      `${unresolved.label}: endpoint ${unresolved.endpoint} has no address (${cause?.code ?? cause?.message}): check the name and this host's DNS`,
      { cause },
    )
  }
  if (attempts.every(attempt => attempt.endpoint === undefined)) {
    const labels = attempts.map(attempt => attempt.label).join(', ')
    return new TunnelError(
      'HANDSHAKE_TIMEOUT',
      `${labels} has no Endpoint and has not called on UDP port ${evidence.port}: add Endpoint, or start the other side`,
    )
  }
  const called = attempts.map(describe).join(', ')
  const waited = evidence.timeout === undefined ? '' : ` in ${Number((evidence.timeout / 1000).toFixed(1))} s`
  return new TunnelError('HANDSHAKE_TIMEOUT', `no handshake${waited} with ${called}: ${likelyCauses(evidence)}`, {
    cause: evidence.udpError,
  })
}

function describe({ label, endpoint, initiations, silentFor }: Attempt): string {
  const at = endpoint === undefined ? '' : ` at ${endpoint}`
  const silent = silentFor === Infinity ? '' : `, silent for ${Math.round(silentFor / 1000)} s`
  return `${label}${at} (${initiations} ${initiations === 1 ? 'initiation' : 'initiations'} unanswered${silent})`
}

function likelyCauses({ attempts, received, udpError }: Evidence): string {
  if (attempts.some(attempt => attempt.cookies > 0)) {
    return 'the peer answered with a cookie: it is under load; try again later'
  }
  if (attempts.some(attempt => attempt.silentFor !== Infinity)) {
    return "it answered before: check that it runs, and this host's network"
  }
  if (received > 0) {
    return `${received} datagrams came, none that completes a handshake: check that PublicKey is the peer's, that the peer knows this key, and PresharedKey on both sides`
  }
  if (udpError?.code === 'ECONNREFUSED') {
    return 'the host answered that nothing listens on that port: check the endpoint and that WireGuard runs there'
  }
  if (udpError !== undefined)
    return `sending failed (${udpError.code ?? udpError.message}): check this host's network and routes`
  return "no packet came back: a wrong key on either side, a wrong endpoint, or UDP blocked on the way look the same; check PublicKey, the peer's list of keys, and the firewalls"
}
