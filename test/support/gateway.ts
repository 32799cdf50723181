// `tunless serve` on the far host, for a peer on the near one and a target behind the far: what the recipes of gateways share.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPair } from '../../src/app/init.js'
import { newPrivateKey } from '../../src/app/keys.js'
import { formatConfig } from '../../src/core/config/config.js'
import type { Behind } from './behind.js'
import type { Network } from './netns.js'
import { command } from './tarball.js'

const port = 51821 // beside wireguard-go's

/** Configurations of the gateway and of a peer to whom all that is behind it is routed. */
export function gatewayPair({ underlay }: Network): { gateway: string; runner: string } {
  const { gateway, runner } = createPair({ host: underlay.far[4], port }, newPrivateKey(), newPrivateKey())
  const route = (text: string) => text.replace('10.7.0.0/24', '10.7.0.0/24, 10.8.0.0/24')
  return { gateway: formatConfig(gateway), runner: route(formatConfig(runner)) }
}

/** A web server that answers with the address of its client. */
export async function startWhere({ host, address }: Behind): Promise<void> {
  const listen = `listen(8000, '${address[4]}', () => console.log('listening'))`
  const program = `require('http').createServer(({ socket }, response) => response.end(socket.remoteAddress)).${listen}`
  await host.start(process.execPath, ['-e', program]).prints(/listening/)
}

/** What a URL answers through the tunnel of a configuration. */
export async function getThrough(network: Network, runner: string, url: string, seconds = 20): Promise<string> {
  const conf = join(network.folder, 'peer.conf')
  writeFileSync(conf, runner, { mode: 0o600 })
  const [node, ...rest] = (await command()) as [string, ...string[]]
  const curl = ['curl', '-sS', '--fail', '--max-time', String(seconds), url]
  return network.near.must(node, [...rest, 'run', '-q', '-c', conf, ...curl])
}
