// The list of `tunless peers`: a tunnel's peers, and who else its netmap knows; for programs, and as a table.

/** The fields are an interface: all are always there. */
export interface ListedPeer {
  readonly name: string | null
  readonly tags: readonly string[]
  readonly addresses: readonly string[]
  /** Base64. */
  readonly publicKey: string | null
  readonly endpoint: string | null
  /** Of the last handshake, ISO 8601 in UTC. */
  readonly lastHandshake: string | null
  /** Whether there was a handshake in the last three minutes; null for a node that is no peer of this tunnel. */
  readonly live: boolean | null
}

/** REJECT_AFTER_TIME: who is there and is sent anything has had a handshake since, ms. */
const liveFor = 180_000

/** Out of what the process that runs the tunnel tells of it. `now` in ms since 1970. The likeliest to answer come first. */
export function listPeers(status: Readonly<Record<string, unknown>>, now: number): ListedPeer[] {
  const peers = objectsOf(status.peers).map(peer => {
    const lastHandshake = textOf(peer.lastHandshake)
    return {
      name: textOf(peer.name),
      tags: textsOf(peer.tags),
      addresses: textsOf(peer.addresses),
      publicKey: textOf(peer.publicKey),
      endpoint: textOf(peer.endpoint),
      lastHandshake,
      live: lastHandshake !== null && now - Date.parse(lastHandshake) < liveFor,
    }
  })
  const keys = new Set(peers.map(({ publicKey }) => publicKey))
  const others = objectsOf(status.nodes)
    .filter(node => node.publicKey !== status.publicKey && !keys.has(textOf(node.publicKey) ?? ''))
    .map(node => ({
      name: textOf(node.name),
      tags: textsOf(node.tags),
      addresses: textsOf(node.addresses),
      publicKey: textOf(node.publicKey),
      endpoint: null,
      lastHandshake: null,
      live: null,
    }))
  const heardAt = ({ lastHandshake }: ListedPeer) => (lastHandshake === null ? 0 : Date.parse(lastHandshake))
  return [...peers, ...others].sort((a, b) => heardAt(b) - heardAt(a))
}

export function formatPeers(peers: readonly ListedPeer[], now: number): string {
  const rows = [
    ['NAME', 'TAGS', 'ADDRESSES', 'HANDSHAKE'],
    ...peers.map(peer => [
      peer.name ?? (peer.publicKey === null ? '-' : `${peer.publicKey.slice(0, 8)}…`),
      peer.tags.join(',') || '-',
      peer.addresses.join(',') || '-',
      agoOf(peer, now),
    ]),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => (row[column] as string).length))) ?? []
  return rows
    .map(
      row =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] as number))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function agoOf({ lastHandshake, live }: ListedPeer, now: number): string {
  if (live === null) return 'no peer of this tunnel'
  if (lastHandshake === null) return 'never'
  const seconds = Math.max(0, Math.round((now - Date.parse(lastHandshake)) / 1000))
  if (seconds < 120) return `${seconds} s ago`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`
}

function objectsOf(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(each => typeof each === 'object' && each !== null) : []
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
