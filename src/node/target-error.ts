// A failed dial as a person should hear it: what the tunnel knows, else what the socket's code means.
import { TunnelError } from '../errors.js'

export interface DialTarget {
  readonly host: string
  readonly port: number
}

/** A TunnelError where the reason is known, else the error itself. `timeout` is what bounded the dial, ms; 0 if nothing did. */
export function explainDial(error: unknown, target: DialTarget, timeout: number): unknown {
  if (error instanceof TunnelError) return error
  const { cause, code } = error as NodeJS.ErrnoException
  if (cause instanceof TunnelError) return cause
  const name = nameOf(target)
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
      const after = timeout > 0 ? ` in ${Number((timeout / 1000).toFixed(1))} s` : ''
      return new TunnelError(
        'TARGET_TIMEOUT',
        `${name} did not answer${after}: check its firewall, its route back to this tunnel's address, and that this address is in AllowedIPs there`,
        { cause: error },
      )
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

/** A path, where one stands for the host, as it is. */
function nameOf({ host, port }: DialTarget): string {
  if (host.includes('/')) return host
  return host.includes(':') && !host.startsWith('tag:') ? `[${host}]:${port}` : `${host}:${port}`
}
