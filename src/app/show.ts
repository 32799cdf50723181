// `tunless show`: what `wg show` prints, where wg is not installed: of any userspace interface that has a socket, ours or not, and of
// this user's tunnels that have none.
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { basename } from 'node:path'
import { formatEndpoint, formatPrefix } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import { parseUapiStatus, type UapiStatus } from '../core/config/uapi-status.js'
import { TunnelError } from '../errors.js'
import { listTunnels, type TunnelStatus } from '../node/control.js'
import type { Log } from './log.js'
import { publicKeyOf } from './public-key.js'
import { formatInterface, type ShownInterface } from './show-format.js'
import { uapiDirectory, uapiPath } from './uapi-socket.js'

/** How long an interface may take to answer, ms, and how much it may say. */
const answerTimeout = 10_000
const longestAnswer = 64 * 1024 * 1024

/** What to print, as JSON if asked for. Rejects with NO_SUCH_TUNNEL where `target`, a name or a path, leads to none. */
export async function show(target: string | undefined, log: Log, isJson = false): Promise<string> {
  const shown = target === undefined ? await findAll(log) : [await findOne(target)]
  if (isJson) return `${JSON.stringify(shown, undefined, 2)}\n`
  const now = Date.now()
  return shown.map(one => formatInterface(one, now)).join('\n')
}

async function findOne(target: string): Promise<ShownInterface> {
  if (target.includes('/')) return query(target)
  const path = uapiPath(target)
  if (existsSync(path)) return query(path)
  const tunnel = (await listTunnels()).find(status => nameOf(status) === target)
  if (tunnel !== undefined) return ofTunnel(tunnel)
  throw new TunnelError(
    'NO_SUCH_TUNNEL',
    `no interface ${target}: there is no ${path}, and no tunnel of this user has that name; \`tunless show\` lists all`,
  )
}

async function findAll(log: Log): Promise<ShownInterface[]> {
  const shown: ShownInterface[] = []
  for (const name of socketNames()) {
    try {
      shown.push(await query(uapiPath(name)))
    } catch (error) {
      const { code } = (error as Error).cause as NodeJS.ErrnoException
      if (code !== 'ECONNREFUSED') log.warn((error as Error).message)
    }
  }
  for (const tunnel of await listTunnels()) {
    if (!shown.some(other => other.publicKey === tunnel.publicKey)) shown.push(ofTunnel(tunnel))
  }
  return shown
}

function socketNames(): string[] {
  try {
    const entries = readdirSync(uapiDirectory).sort()
    return entries.flatMap(entry => (entry.endsWith('.sock') ? [entry.slice(0, -'.sock'.length)] : []))
  } catch {
    return []
  }
}

/** Asks the interface at `path`. Rejects with NO_SUCH_TUNNEL, with the socket's error as its cause. */
async function query(path: string): Promise<ShownInterface> {
  const status = parseUapiStatus(await ask(path))
  if (status !== undefined) return ofStatus(basename(path).replace(/\.sock$/, ''), status)
  throw unreachable(path, 'it does not answer as an interface does', {})
}

function ask(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(path).setEncoding('latin1')
    const fail = (reason: string, cause: unknown) => {
      socket.destroy()
      reject(unreachable(path, reason, cause))
    }
    socket.setTimeout(answerTimeout, () => fail('it does not answer', {}))
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error))
    socket.on('data', (text: string) => {
      answer += text
      if (answer.length > longestAnswer) fail('its answer does not end', {})
      else if (answer.endsWith('\n\n')) socket.end()
    })
    socket.on('end', () => resolve(answer))
    socket.write('get=1\n\n')
  })
}

function unreachable(path: string, reason: string, cause: unknown): TunnelError {
  return new TunnelError('NO_SUCH_TUNNEL', `cannot ask ${path} (${reason}): check that it runs and that you may`, {
    cause,
  })
}

function ofStatus(name: string, { privateKey, listenPort, fwmark, peers }: UapiStatus): ShownInterface {
  return {
    name,
    publicKey: privateKey && encodeKey(publicKeyOf(privateKey)),
    listenPort,
    fwmark,
    peers: peers.map(({ endpoint, presharedKey, ...peer }) => ({
      ...peer,
      publicKey: encodeKey(peer.publicKey),
      hasPresharedKey: presharedKey.some(byte => byte !== 0),
      ...(endpoint && { endpoint: formatEndpoint(endpoint) }),
      allowedIps: peer.allowedIps.map(formatPrefix),
    })),
  }
}

function nameOf(tunnel: TunnelStatus): string {
  return tunnel.name ?? `tunless-${tunnel.pid}`
}

function ofTunnel(tunnel: TunnelStatus): ShownInterface {
  const { publicKey, port, peers } = tunnel
  return { name: nameOf(tunnel), publicKey: publicKey || undefined, listenPort: port, fwmark: 0, peers }
}
