// A device's status as the answer to `get=1` of the userspace configuration protocol, and back.
import { type Endpoint, formatEndpoint, formatPrefix, type Prefix, parsePrefix } from '../base/address.js'
import { hex } from '../base/text.js'
import { clampKey, parseHexKey, parseUapiEndpoint, parseUnsigned, splitLine } from './uapi-values.js'

export interface UapiPeerStatus {
  readonly publicKey: Uint8Array
  /** 32 bytes; zeros are none. */
  readonly presharedKey: Uint8Array
  readonly endpoint?: Endpoint
  /** Milliseconds since 1970; 0 before the first one. */
  readonly lastHandshake: number
  readonly rxBytes: number
  readonly txBytes: number
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number
  readonly allowedIps: readonly Prefix[]
}

export interface UapiStatus {
  readonly privateKey?: Uint8Array
  /** 0 while there is none. */
  readonly listenPort: number
  readonly fwmark: number
  readonly peers: readonly UapiPeerStatus[]
}

/** Lines without the `errno` and the empty line at their end. They hold the private key and the preshared ones. */
export function formatUapiStatus(status: UapiStatus): string {
  const lines: string[] = []
  if (status.privateKey !== undefined) lines.push(`private_key=${hex(clampKey(status.privateKey))}`)
  if (status.listenPort > 0) lines.push(`listen_port=${status.listenPort}`)
  if (status.fwmark > 0) lines.push(`fwmark=${status.fwmark}`)
  for (const peer of status.peers) {
    lines.push(`public_key=${hex(peer.publicKey)}`, `preshared_key=${hex(peer.presharedKey)}`, 'protocol_version=1')
    if (peer.endpoint !== undefined) lines.push(`endpoint=${formatEndpoint(peer.endpoint)}`)
    const milliseconds = Math.floor(peer.lastHandshake)
    lines.push(
      `last_handshake_time_sec=${Math.floor(milliseconds / 1000)}`,
      `last_handshake_time_nsec=${(milliseconds % 1000) * 1_000_000}`,
      `tx_bytes=${peer.txBytes}`,
      `rx_bytes=${peer.rxBytes}`,
      `persistent_keepalive_interval=${peer.persistentKeepalive}`,
    )
    for (const prefix of peer.allowedIps) lines.push(`allowed_ip=${formatPrefix(prefix)}`)
  }
  return lines.map(line => `${line}\n`).join('')
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

/** Reads what any implementation answers; unknown keys are passed over. Undefined for an error, or for what is no status. */
export function parseUapiStatus(text: string): UapiStatus | undefined {
  const status: Draft<UapiStatus> = { listenPort: 0, fwmark: 0, peers: [] }
  const peers: (Draft<UapiPeerStatus> & { allowedIps: Prefix[] })[] = []
  for (const line of text.split('\n')) {
    const fields = splitLine(line)
    if (fields === undefined) {
      if (line === '') continue
      return undefined
    }
    const [key, value] = fields
    const peer = peers.at(-1)
    if (key === 'errno') {
      if (value !== '0') return undefined
    } else if (key === 'public_key') {
      const publicKey = parseHexKey(value)
      if (publicKey === undefined) return undefined
      peers.push({
        publicKey,
        presharedKey: new Uint8Array(32),
        lastHandshake: 0,
        rxBytes: 0,
        txBytes: 0,
        persistentKeepalive: 0,
        allowedIps: [],
      })
    } else if (!(peer === undefined ? readDevice(status, key, value) : readPeer(peer, key, value))) return undefined
  }
  status.peers = peers
  return status
}

function readDevice(status: Draft<UapiStatus>, key: string, value: string): boolean {
  if (key === 'private_key') {
    const privateKey = parseHexKey(value)
    if (privateKey !== undefined) status.privateKey = privateKey
    return privateKey !== undefined
  }
  if (key !== 'listen_port' && key !== 'fwmark') return true
  const number = parseUnsigned(value, key === 'fwmark' ? 0xffff_ffff : 65535)
  if (number === undefined) return false
  status[key === 'fwmark' ? 'fwmark' : 'listenPort'] = number
  return true
}

function readPeer(peer: Draft<UapiPeerStatus> & { allowedIps: Prefix[] }, key: string, value: string): boolean {
  switch (key) {
    case 'preshared_key': {
      const presharedKey = parseHexKey(value)
      if (presharedKey !== undefined) peer.presharedKey = presharedKey
      return presharedKey !== undefined
    }
    case 'endpoint': {
      // The zone of a link-local address means something on its own host alone.
      const endpoint = parseUapiEndpoint(value.replace(/%[^\]]*/, ''))
      if (endpoint !== undefined) peer.endpoint = endpoint
      return endpoint !== undefined
    }
    case 'allowed_ip': {
      const prefix = parsePrefix(value)
      if (prefix !== undefined) peer.allowedIps.push(prefix)
      return prefix !== undefined
    }
    case 'last_handshake_time_sec':
    case 'last_handshake_time_nsec':
    case 'tx_bytes':
    case 'rx_bytes':
    case 'persistent_keepalive_interval': {
      const number = parseUnsigned(value, Number.MAX_SAFE_INTEGER)
      if (number === undefined) return false
      if (key === 'last_handshake_time_sec') peer.lastHandshake += number * 1000
      else if (key === 'last_handshake_time_nsec') peer.lastHandshake += number / 1_000_000
      else if (key === 'tx_bytes') peer.txBytes = number
      else if (key === 'rx_bytes') peer.rxBytes = number
      else peer.persistentKeepalive = number
      return true
    }
    default:
      return true
  }
}
