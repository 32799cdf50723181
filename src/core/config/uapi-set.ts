// The text of a `set=1` request of the userspace configuration protocol as a list of changes. All of it is read before any of it
// is done, so that a request with an error changes nothing.
import { type Endpoint, type Prefix, parsePrefix } from '../base/address.js'
import { parseHexKey, parseUapiEndpoint, parseUnsigned, splitLine, type UapiErrno, uapiErrno } from './uapi-values.js'

export interface UapiPeerChange {
  readonly publicKey: Uint8Array
  /** The peer goes; what else is said of it counts for nothing. */
  remove: boolean
  /** Only a peer that is there already is changed. */
  updateOnly: boolean
  /** Zeros take it away. */
  presharedKey?: Uint8Array
  endpoint?: Endpoint
  /** Seconds; 0 is off. */
  persistentKeepalive?: number
  replaceAllowedIps: boolean
  /** In this order; `remove`, written `allowed_ip=-PREFIX`, takes one from this peer if it has it. */
  readonly allowedIps: (Prefix & { readonly remove?: boolean })[]
}

export interface UapiSet {
  /** Zeros take it away. */
  privateKey?: Uint8Array
  /** 0 takes a free one. */
  listenPort?: number
  /** 0 is none. */
  fwmark?: number
  replacePeers: boolean
  /** In the order of the request; a peer may stand several times. */
  readonly peers: UapiPeerChange[]
}

export type UapiSetResult = { readonly ok: true; readonly set: UapiSet } | { readonly ok: false; errno: UapiErrno }

/** Reads the lines after `set=1`, without the empty one at the end. Never throws. */
export function parseUapiSet(text: string): UapiSetResult {
  const set: UapiSet = { replacePeers: false, peers: [] }
  let peer: UapiPeerChange | undefined
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const fields = splitLine(text.slice(start, end))
    start = end + 1
    if (fields === undefined) return { ok: false, errno: uapiErrno.protocol }
    const [key, value] = fields
    if (key === 'public_key') {
      const publicKey = parseHexKey(value)
      if (publicKey === undefined) return invalid
      peer = { publicKey, remove: false, updateOnly: false, replaceAllowedIps: false, allowedIps: [] }
      set.peers.push(peer)
    } else if (!(peer === undefined ? readDevice(set, key, value) : readPeer(peer, key, value))) return invalid
  }
  return { ok: true, set }
}

const invalid: UapiSetResult = { ok: false, errno: uapiErrno.invalid }

function readDevice(set: UapiSet, key: string, value: string): boolean {
  switch (key) {
    case 'private_key': {
      const privateKey = parseHexKey(value)
      if (privateKey !== undefined) set.privateKey = privateKey
      return privateKey !== undefined
    }
    case 'listen_port': {
      const port = parseUnsigned(value, 65535)
      if (port !== undefined) set.listenPort = port
      return port !== undefined
    }
    case 'fwmark': {
      const mark = parseUnsigned(value, 0xffff_ffff)
      if (mark !== undefined) set.fwmark = mark
      return mark !== undefined
    }
    case 'replace_peers':
      set.replacePeers = true
      return value === 'true'
    default:
      return false
  }
}

function readPeer(peer: UapiPeerChange, key: string, value: string): boolean {
  switch (key) {
    case 'remove':
      peer.remove = true
      return value === 'true'
    case 'update_only':
      peer.updateOnly = true
      return value === 'true'
    case 'preshared_key': {
      const presharedKey = parseHexKey(value)
      if (presharedKey !== undefined) peer.presharedKey = presharedKey
      return presharedKey !== undefined
    }
    case 'endpoint': {
      const endpoint = parseUapiEndpoint(value)
      if (endpoint !== undefined) peer.endpoint = endpoint
      return endpoint !== undefined
    }
    case 'persistent_keepalive_interval': {
      const seconds = parseUnsigned(value, 65535)
      if (seconds !== undefined) peer.persistentKeepalive = seconds
      return seconds !== undefined
    }
    case 'replace_allowed_ips':
      peer.replaceAllowedIps = true
      peer.allowedIps.length = 0
      return value === 'true'
    case 'allowed_ip':
      return readAllowedIp(peer, value)
    case 'protocol_version':
      return value === '1'
    default:
      return false
  }
}

function readAllowedIp(peer: UapiPeerChange, value: string): boolean {
  const remove = value.startsWith('-')
  const prefix = value.includes('/') ? parsePrefix(remove ? value.slice(1) : value) : undefined
  if (prefix !== undefined) peer.allowedIps.push(remove ? { ...prefix, remove } : prefix)
  return prefix !== undefined
}
