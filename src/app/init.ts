// `tunless init`: a pair of configurations with new keys, so that the first tunnel is a matter of copying one file.
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type IpAddress, type Prefix, parseAddress, parsePrefix } from '../core/base/address.js'
import { type Config, formatConfig, type InterfaceConfig, type PeerConfig } from '../core/config/config.js'
import { TunnelError } from '../errors.js'
import { newPrivateKey } from './keys.js'
import { createLog } from './log.js'
import { print } from './print.js'
import { publicKeyOf } from './public-key.js'

const addresses = { network: '10.7.0.0/24', gateway: '10.7.0.1', runner: '10.7.0.2' }
/** Seconds: keeps the way through a NAT open. */
const keepalive = 25

export interface InitOptions {
  /** Where the runner reaches the gateway. */
  readonly endpoint: { readonly host: string; readonly port: number }
  /** Written there instead of to stdout. */
  readonly directory?: string
}

/** Prints or writes the pair. Rejects with USAGE where a file is in the way. */
export async function init({ endpoint, directory }: InitOptions): Promise<void> {
  const { gateway, runner } = createPair(endpoint, newPrivateKey(), newPrivateKey())
  const files = [
    {
      name: 'gateway.conf',
      note: 'for the gateway: wg-quick up ./gateway.conf, or without root tunless up (or serve) -c gateway.conf',
      text: formatConfig(gateway),
    },
    {
      name: 'runner.conf',
      note: 'for the runner: tunless run -c runner.conf COMMAND, or tunless up -c runner.conf -D 1080',
      text: formatConfig(runner),
    },
  ]
  if (directory === undefined) {
    print(files.map(({ name, note, text }) => `# ${name}: ${note}\n${text}`).join('\n'))
    return
  }
  const log = createLog('normal')
  makeDirectory(directory)
  for (const { name, note, text } of files) {
    const path = join(directory, name)
    write(path, text)
    log.info(`${path}: ${note}`)
  }
}

/** The gateway's and the runner's configuration, each with the other as its peer. */
export function createPair(
  endpoint: InitOptions['endpoint'],
  gatewayKey: Uint8Array,
  runnerKey: Uint8Array,
): { gateway: Config; runner: Config } {
  const network = parsePrefix(addresses.network) as Prefix
  const gatewayAddress = parseAddress(addresses.gateway) as IpAddress
  const runnerAddress = parseAddress(addresses.runner) as IpAddress
  const gateway = {
    name: 'gateway',
    privateKey: gatewayKey,
    addresses: [{ address: gatewayAddress, length: network.length }],
    listenPort: endpoint.port,
  }
  const runner = {
    name: 'runner',
    privateKey: runnerKey,
    addresses: [{ address: runnerAddress, length: network.length }],
  }
  const toRunner = {
    publicKey: publicKeyOf(runnerKey),
    allowedIps: [{ address: runnerAddress, length: 32 }],
    name: 'runner',
    addresses: [runnerAddress],
  }
  const toGateway = {
    publicKey: publicKeyOf(gatewayKey),
    allowedIps: [network],
    endpoint,
    persistentKeepalive: keepalive,
    name: 'gateway',
    addresses: [gatewayAddress],
  }
  return { gateway: createConfig(gateway, toRunner), runner: createConfig(runner, toGateway) }
}

function createConfig(
  own: Omit<InterfaceConfig, 'dns' | 'tags' | 'hosts'>,
  peer: Omit<PeerConfig, 'tags' | 'line'>,
): Config {
  return {
    source: `${own.name}.conf`,
    interface: { ...own, dns: { servers: [], search: [], routes: [] }, tags: [], hosts: [] },
    peers: [{ ...peer, tags: [], line: 0 }],
    notes: [],
  }
}

/** Not recursive: Node 20 never returns from that where the system knows no such place (below /proc). */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    const why =
      code === 'EEXIST' ? 'it is a file' : code === 'ENOENT' ? 'the directory it would be in is missing' : message
    throw new TunnelError('USAGE', `cannot make the directory ${path}: ${why}; choose another`, { cause })
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = code === 'EEXIST' ? 'it is there already; remove it, or choose another directory' : message
    throw new TunnelError('USAGE', `cannot write ${path}: ${why}`, { cause })
  }
}
