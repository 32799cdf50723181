// `tunless peers`: who is in the network of a running tunnel, with tags and who was heard lately; as JSON for a rolling deploy.
import { decodeKey } from '../core/base/base64.js'
import { longestConfig } from '../core/config/lines.js'
import { TunnelError } from '../errors.js'
import { type JoinedTunnel, joinTunnel, listTunnels } from '../node/control.js'
import { type ConfOptions, readConf } from './conf.js'
import { joinGiven } from './join.js'
import type { Log } from './log.js'
import { formatPeers, type ListedPeer, listPeers } from './peers-format.js'
import { publicKeyOf } from './public-key.js'
import { readStdin } from './stdin.js'

export interface PeersOptions extends ConfOptions {
  /** `Name` of a running configuration; the only one that runs without it. */
  readonly name?: string
  /** Only who has it, `tag:web` or `web`. */
  readonly tag?: string
  readonly json: boolean
  readonly log: Log
}

/** What to print. Rejects with NO_SUCH_TUNNEL, or with UNKNOWN_HOST where nobody has the tag. */
export async function peers(options: PeersOptions): Promise<string> {
  const joined = await join(options)
  try {
    const all = listPeers(await joined.status(), Date.now())
    const found = withTag(all, options.tag)
    return options.json ? `${JSON.stringify(found, null, 2)}\n` : formatPeers(found, Date.now())
  } finally {
    joined.leave()
  }
}

function withTag(all: readonly ListedPeer[], given: string | undefined): readonly ListedPeer[] {
  if (given === undefined) return all
  const tag = (given.toLowerCase().startsWith('tag:') ? given : `tag:${given}`).toLowerCase()
  const found = all.filter(({ tags }) => tags.some(each => each.toLowerCase() === tag))
  if (found.length > 0) return found
  const known = [...new Set(all.flatMap(({ tags }) => tags))].sort().join(', ') || 'none'
  throw new TunnelError('UNKNOWN_HOST', `no peer has ${JSON.stringify(tag)}: check the tag (known tags: ${known})`)
}

async function join({ name, log, ...conf }: PeersOptions): Promise<JoinedTunnel> {
  const given = name === undefined && conf.file === undefined ? await joinGiven(process.env) : undefined
  if (given !== undefined) return given
  if (conf.file !== undefined) {
    const sources = { env: process.env, readStdin: () => readStdin(longestConfig), peersMayCome: true, warn: log.warn }
    const config = await readConf(conf, sources)
    const joined = await joinTunnel(publicKeyOf(config.interface.privateKey))
    if (joined !== undefined) return joined
    throw new TunnelError(
      'NO_SUCH_TUNNEL',
      `no tunnel runs with the key of ${config.source}: start it with \`tunless up\``,
    )
  }
  const running = (await listTunnels()).filter(tunnel => name === undefined || tunnel.name === name)
  const [only, ...others] = running
  const key = only && decodeKey(only.publicKey)
  if (only === undefined || key === undefined) {
    const what = name === undefined ? 'no tunnel of this user runs' : `no tunnel of this user has the Name ${name}`
    throw new TunnelError('NO_SUCH_TUNNEL', `${what}: start one with \`tunless up\`, or name its configuration with -c`)
  }
  if (others.length > 0) {
    const names = running.map(tunnel => tunnel.name ?? `process ${tunnel.pid}`).join(', ')
    throw new TunnelError('USAGE', `several tunnels run (${names}): name one, or its configuration with -c`)
  }
  const joined = await joinTunnel(key)
  if (joined !== undefined) return joined
  throw new TunnelError('NO_SUCH_TUNNEL', `the tunnel of process ${only.pid} has just ended: start it again`)
}
