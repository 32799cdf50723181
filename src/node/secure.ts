// TLS over a tunnel's socket. Node's TLS takes any Duplex, but then knows nothing of the connection below: what a program asks of
// the TLS socket about it, the tunnel's socket answers.
import type { TLSSocket } from 'node:tls'
import type { TunnelSocket } from './socket.js'

const answers = [
  'localAddress',
  'localPort',
  'localFamily',
  'remoteAddress',
  'remotePort',
  'remoteFamily',
] as const satisfies readonly (keyof TunnelSocket & keyof TLSSocket)[]

/** Returns the TLS socket, which fails with the other's error and holds the process as it is told to. */
export function dressSecure(secure: TLSSocket, below: TunnelSocket): TLSSocket {
  for (const name of answers) {
    Object.defineProperty(secure, name, { configurable: true, get: () => below[name] })
  }
  below.once('error', error => secure.destroy(error))
  return Object.assign(secure, {
    ref() {
      below.ref()
      return secure
    },
    unref() {
      below.unref()
      return secure
    },
    setNoDelay(on?: boolean) {
      below.setNoDelay(on)
      return secure
    },
    setKeepAlive(on?: boolean, delay?: number) {
      below.setKeepAlive(on, delay)
      return secure
    },
  })
}
