// The public API as a strict TypeScript program uses it. Compiled, never run.
import { connect as tlsConnect } from 'node:tls'
import { openTunnel, parseConfig, type Tunnel, TunnelError, type TunnelErrorCode, type TunnelOptions } from 'tunless'
import { createNetwork } from 'tunless/testing'

export const options: TunnelOptions = { crypto: 'node', family: 4, listenHost: '127.0.0.1' }
// @ts-expect-error exactOptionalPropertyTypes: an option that is there has a value
export const undefinedOption: TunnelOptions = { family: undefined }
// @ts-expect-error no such backend
export const unknownBackend: TunnelOptions = { crypto: 'rot13' }

export async function use(tunnel: Tunnel): Promise<string> {
  const { peer } = await tunnel.ready({ timeout: 5000, target: { host: 'web1', port: 22 } })
  const name: string | undefined = peer?.name
  const socket = tunnel.connect({ host: 'web1', port: 443 })
  tlsConnect({ socket, servername: 'web1' }).end()
  socket.on('connect', () => socket.end('bye'))
  const server = tunnel.createServer(client => client.pipe(client))
  server.listen(8080)
  const { rtt }: { rtt: number } = await tunnel.ping('web1')
  tunnel.on('handshake', info => console.log(info.publicKey))
  // @ts-expect-error a host is needed
  tunnel.connect({ port: 22 })
  return `${name} ${rtt} ${tunnel.peers({ tag: 'tag:web' }).length}`
}

export async function main(): Promise<TunnelErrorCode | undefined> {
  try {
    await use(await openTunnel(new URL('file:///etc/deploy.conf'), options))
    await use(await openTunnel({ text: '' }))
    await use(await openTunnel(parseConfig('', 'deploy.conf')))
    return undefined
  } catch (error) {
    if (error instanceof TunnelError) return error.code
    throw error
  }
}

export const network = createNetwork
