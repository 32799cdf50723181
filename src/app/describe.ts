// How peers, addresses and failed dials are put into words.
import { TunnelError } from '../errors.js'
import type { Ready } from '../node/tunnel.js'
import { formatTarget, type Target } from '../proxy/dialer.js'

/** `web1 at 192.0.2.1:51820, round trip 12.3 ms`; a peer without name by the beginning of its key. */
export function describeReady({ peer }: Ready, port: number): string {
  if (peer === undefined) return `no peer has an Endpoint; waiting for them on UDP port ${port}`
  const name = peer.name ?? `${peer.publicKey.slice(0, 8)}…`
  const rtt = peer.rtt === undefined ? '' : `, round trip ${peer.rtt.toFixed(1)} ms`
  return `peer ${name}${peer.endpoint === undefined ? '' : ` at ${peer.endpoint}`}${rtt}`
}

/** A failed dial as a person should hear it: what the tunnel knows, else what the socket's code means. */
export function explainDial(error: unknown, target: Target, timeout: number): unknown {
  if (error instanceof TunnelError) return error
  const { cause, code } = error as NodeJS.ErrnoException
  if (cause instanceof TunnelError) return cause
  const name = formatTarget(target)
  switch (code) {
    case 'ECONNREFUSED':
      return new TunnelError(
        'TARGET_REFUSED',
        `${name} refused the connection: check that the service runs and listens there`,
        { cause: error },
      )
    case 'ECONNRESET':
      return new TunnelError(
        'TARGET_REFUSED',
        `${name} reset the connection: check the service there, and what stands before it`,
        { cause: error },
      )
    case 'ETIMEDOUT': {
      const remedy = "check its firewall, and its route back to this tunnel's address"
      const after = timeout > 0 ? ` in ${timeout / 1000} s` : ''
      return new TunnelError('TARGET_TIMEOUT', `${name} did not answer${after}: ${remedy}`, { cause: error })
    }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return new TunnelError(
        'TARGET_UNREACHABLE',
        `${name} cannot be reached (${code}): check the address and the routes of the peer`,
        { cause: error },
      )
    default:
      return error
  }
}
