// A running tunnel behind the userspace configuration protocol: `get=1` shows it, `set=1` changes it.
import { parseUapiSet, type UapiPeerChange, type UapiSet } from '../core/config/uapi-set.js'
import { formatUapiStatus } from '../core/config/uapi-status.js'
import { uapiErrno } from '../core/config/uapi-values.js'
import { TunnelError } from '../errors.js'
import type { Tunnel } from '../node/tunnel.js'
import type { UapiHandler } from './uapi-socket.js'

/** EBUSY: another process has the key. */
const keyInUse = -16

/** Never rejects: what goes wrong is an errno. */
export function uapiOf(tunnel: Tunnel): UapiHandler {
  return async request => {
    const newline = request.indexOf('\n')
    const operation = newline < 0 ? request : request.slice(0, newline)
    const rest = newline < 0 ? '' : request.slice(newline + 1)
    if (operation === 'get=1') {
      return rest === '' ? `${formatUapiStatus(tunnel.live.status())}${status(0)}` : status(uapiErrno.invalid)
    }
    if (operation !== 'set=1') return status(uapiErrno.protocol)
    const result = parseUapiSet(rest)
    if (!result.ok) return status(result.errno)
    try {
      return status(await apply(tunnel, result.set))
    } catch (error) {
      return status(errnoOf(error))
    } finally {
      result.set.privateKey?.fill(0)
      for (const peer of result.set.peers) peer.presharedKey?.fill(0)
    }
  }
}

function status(errno: number): string {
  return `errno=${errno}\n\n`
}

/** What may fail comes first, so that a failure leaves the rest as it was. */
async function apply(tunnel: Tunnel, set: UapiSet): Promise<number> {
  if (set.fwmark !== undefined && set.fwmark !== 0) return uapiErrno.unsupported
  if (set.listenPort !== undefined) await tunnel.setPort(set.listenPort)
  if (set.privateKey !== undefined) await tunnel.live.changeKey(set.privateKey)
  if (tunnel.closed) return uapiErrno.failed
  if (set.replacePeers) for (const { publicKey } of tunnel.live.status().peers) tunnel.live.dropPeer(publicKey)
  for (const peer of set.peers) applyPeer(tunnel, peer)
  return uapiErrno.none
}

function applyPeer(tunnel: Tunnel, change: UapiPeerChange): void {
  const { publicKey, presharedKey, endpoint, persistentKeepalive, replaceAllowedIps, allowedIps } = change
  if (change.remove) {
    tunnel.live.dropPeer(publicKey)
    return
  }
  if (change.updateOnly && !tunnel.live.hasPeer(publicKey)) return
  const record = tunnel.live.editPeer({
    publicKey,
    replaceAllowedIps,
    allowedIps,
    ...(presharedKey !== undefined && { presharedKey }),
    ...(persistentKeepalive !== undefined && { persistentKeepalive }),
  })
  if (record !== undefined && endpoint !== undefined) tunnel.live.setPeerAddress(record, endpoint)
}

function errnoOf(error: unknown): number {
  if (!(error instanceof TunnelError)) return uapiErrno.failed
  if (error.code === 'TUNNEL_KEY_IN_USE') return keyInUse
  if (error.code !== 'UDP_BIND_FAILED') return uapiErrno.failed
  const { errno } = error.cause as NodeJS.ErrnoException
  return errno !== undefined && errno < 0 ? errno : uapiErrno.portInUse
}
