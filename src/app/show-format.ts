// The picture that `wg show` prints of an interface, word for word.
import type { TunnelStatus } from '../node/control.js'

/** As the control socket tells it. */
export type ShownPeer = TunnelStatus['peers'][number]

export interface ShownInterface {
  readonly name: string
  /** Base64; undefined without a private key. */
  readonly publicKey: string | undefined
  readonly listenPort: number
  readonly fwmark: number
  readonly peers: readonly ShownPeer[]
}

/** `now`: ms since 1970. */
export function formatInterface(shown: ShownInterface, now: number): string {
  const { name, publicKey, listenPort, fwmark } = shown
  const lines = [
    `interface: ${name}`,
    ...(publicKey === undefined ? [] : [`  public key: ${publicKey}`, '  private key: (hidden)']),
    ...(listenPort === 0 ? [] : [`  listening port: ${listenPort}`]),
    ...(fwmark === 0 ? [] : [`  fwmark: 0x${fwmark.toString(16)}`]),
  ]
  // The one that was heard last comes first.
  const peers = [...shown.peers].sort((a, b) => b.lastHandshake - a.lastHandshake)
  return `${[lines, ...peers.map(peer => peerLines(peer, now))].map(block => block.join('\n')).join('\n\n')}\n`
}

function peerLines(peer: ShownPeer, now: number): string[] {
  const { endpoint, allowedIps, lastHandshake, rxBytes, txBytes, persistentKeepalive } = peer
  return [
    `peer: ${peer.publicKey}`,
    ...(peer.hasPresharedKey ? ['  preshared key: (hidden)'] : []),
    ...(endpoint === undefined ? [] : [`  endpoint: ${endpoint}`]),
    `  allowed ips: ${allowedIps.join(', ') || '(none)'}`,
    ...(lastHandshake === 0 ? [] : [`  latest handshake: ${ago(lastHandshake, now)}`]),
    ...(rxBytes + txBytes === 0 ? [] : [`  transfer: ${formatSize(rxBytes)} received, ${formatSize(txBytes)} sent`]),
    ...(persistentKeepalive === 0 ? [] : [`  persistent keepalive: every ${duration(persistentKeepalive)}`]),
  ]
}

function ago(then: number, now: number): string {
  const seconds = Math.floor(now / 1000) - Math.floor(then / 1000)
  if (seconds < 0) return '(System clock wound backward; connection problems may ensue.)'
  return seconds === 0 ? 'Now' : `${duration(seconds)} ago`
}

function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 31_536_000), 'year'],
    [Math.floor((seconds % 31_536_000) / 86_400), 'day'],
    [Math.floor((seconds % 86_400) / 3600), 'hour'],
    [Math.floor((seconds % 3600) / 60), 'minute'],
    [seconds % 60, 'second'],
  ] as const
  return parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count} ${unit}${count === 1 ? '' : 's'}`])).join(', ')
}

/** `1.21 MiB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes / 1024
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${value.toFixed(2)} ${units[unit]}`
}
