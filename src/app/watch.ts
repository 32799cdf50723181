// What a command that keeps a tunnel says while it runs: warnings, peers that fall silent and come back, and its end.
import { TunnelError } from '../errors.js'
import type { Tunnel } from '../node/tunnel.js'
import { describeReady } from './describe.js'
import type { Log } from './log.js'

export function watchTunnel(tunnel: Tunnel, log: Log): void {
  tunnel.on('warning', log.warn)
  const silent = new Set<string>()
  tunnel.on('silent', peer => {
    silent.add(peer.publicKey)
    const { rtt: _, ...known } = peer
    log.info(`${describeReady({ peer: known }, tunnel.port)} does not answer any more; calling it`)
  })
  tunnel.on('handshake', peer => {
    const { rtt: _, ...known } = peer
    if (silent.delete(peer.publicKey)) log.info(`${describeReady({ peer: known }, tunnel.port)} answers again`)
    else log.debug(`handshake with ${describeReady({ peer }, tunnel.port)}`)
  })
}

/** Rejects with TUNNEL_CLOSED when the tunnel is closed under the command. */
export function tunnelEnded(tunnel: Tunnel): Promise<never> {
  return new Promise((_resolve, reject) => {
    tunnel.once('close', () => reject(new TunnelError('TUNNEL_CLOSED', 'the tunnel was closed: start it again')))
  })
}
