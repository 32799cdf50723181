// Two hosts on one machine for the interop tests: network namespaces joined by a veth pair, and wireguard-go on a TUN
// device with the kernel's TCP behind it. Needs root and /dev/net/tun. Names carry the pid of the test worker, so that
// what a killed run left behind is recognised and swept by the next one.
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, must, type Program, type Result, type RunOptions, run, start, until } from './process.js'
import { runFolder } from './run-folder.js'

/** Why the interop tests cannot run here; undefined if they can. */
export function interopUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
  } catch {
    return 'needs /dev/net/tun'
  }
  const missing = ['ip', 'wireguard-go', 'wg', 'curl'].filter(program => !onPath(program))
  return missing.length > 0 ? `needs ${missing.join(', ')}: scripts/install-interop.sh installs them` : undefined
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** A host: programs started here see its network only. */
export class Host {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }

  run(command: string, args: string[], options?: RunOptions): Promise<Result> {
    return run('ip', ['netns', 'exec', this.name, command, ...args], options)
  }

  must(command: string, args: string[], options?: RunOptions): Promise<string> {
    return must('ip', ['netns', 'exec', this.name, command, ...args], options)
  }

  start(command: string, args: string[], options?: Pick<RunOptions, 'cwd' | 'env'>): Program {
    return start('ip', ['netns', 'exec', this.name, command, ...args], options)
  }

  ip(...args: string[]): Promise<string> {
    return must('ip', ['-n', this.name, ...args])
  }
}

export interface KeyPair {
  privateKey: string
  publicKey: string
}

export async function keyPair(): Promise<KeyPair> {
  const privateKey = (await must('wg', ['genkey'])).trim()
  return { privateKey, publicKey: (await must('wg', ['pubkey'], { input: privateKey })).trim() }
}

export async function presharedKey(): Promise<string> {
  return (await must('wg', ['genpsk'])).trim()
}

/** The two hosts: `far` keeps the services, `near` is where the client under test runs. */
export interface Network {
  far: Host
  near: Host
  /** Addresses on the wire between them. */
  underlay: { far: Record<4 | 6, string>; near: Record<4 | 6, string> }
  /** A private folder for configurations and keys, removed with the network. */
  folder: string
  close(): Promise<void>
}

let count = 0

export async function createNetwork(): Promise<Network> {
  await sweep()
  const id = `tl-${process.pid}-${count++}`
  const far = new Host(`${id}-far`)
  const near = new Host(`${id}-near`)
  const folder = mkdtempSync(join(runFolder(), 'network-'))
  const network: Network = {
    far,
    near,
    underlay: { far: { 4: '10.99.0.1', 6: 'fd99::1' }, near: { 4: '10.99.0.2', 6: 'fd99::2' } },
    folder,
    async close() {
      await Promise.all([far, near].map(host => removeNamespace(host.name)))
      removeSockets(pid => pid === process.pid)
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 }) // who was killed may still be writing
    },
  }
  try {
    for (const host of [far, near]) await must('ip', ['netns', 'add', host.name])
    await must('ip', [
      'link',
      'add',
      'wire0',
      'netns',
      far.name,
      'type',
      'veth',
      'peer',
      'name',
      'wire0',
      'netns',
      near.name,
    ])
    for (const [host, addresses] of [
      [far, network.underlay.far],
      [near, network.underlay.near],
    ] as const) {
      await host.ip('link', 'set', 'lo', 'up')
      await host.ip('addr', 'add', `${addresses[4]}/24`, 'dev', 'wire0')
      await host.ip('addr', 'add', `${addresses[6]}/64`, 'dev', 'wire0', 'nodad')
      await host.ip('link', 'set', 'wire0', 'up')
    }
    return network
  } catch (error) {
    await network.close()
    throw error
  }
}

export interface KernelPeer {
  publicKey: string
  presharedKey?: string
  allowedIps: string[]
  endpoint?: string
}

export interface KernelInterface {
  /** The device, which is also the name of its control socket: unique on the machine, not only in the namespace. */
  device: string
  program: Program
  stop(): Promise<void>
}

export interface KernelOptions {
  privateKey: string
  listenPort?: number
  addresses: string[]
  mtu?: number
  peers: KernelPeer[]
}

/** A name for an interface that no other on the machine has. */
export function deviceName(): string {
  return `tl${process.pid}n${count++}`
}

/** wireguard-go on a TUN device of `host`, configured by `wg` as an administrator would. */
export async function startKernelPeer(network: Network, host: Host, options: KernelOptions): Promise<KernelInterface> {
  const device = deviceName()
  const program = host.start('wireguard-go', ['-f', device])
  const stop = async () => void (await program.stop())
  try {
    await until(`device ${device}`, async () => (await run('ip', ['-n', host.name, 'link', 'show', device])).code === 0)
    const conf = join(network.folder, `${device}.conf`)
    writeFileSync(conf, setconf(options), { mode: 0o600 })
    await host.must('wg', ['setconf', device, conf])
    for (const address of options.addresses)
      await host.ip('addr', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []))
    await host.ip('link', 'set', device, 'mtu', String(options.mtu ?? 1420), 'up')
    return { device, program, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function setconf(options: KernelOptions): string {
  const lines = ['[Interface]', `PrivateKey = ${options.privateKey}`]
  if (options.listenPort !== undefined) lines.push(`ListenPort = ${options.listenPort}`)
  for (const peer of options.peers) {
    lines.push('[Peer]', `PublicKey = ${peer.publicKey}`, `AllowedIPs = ${peer.allowedIps.join(', ')}`)
    if (peer.presharedKey !== undefined) lines.push(`PresharedKey = ${peer.presharedKey}`)
    if (peer.endpoint !== undefined) lines.push(`Endpoint = ${peer.endpoint}`)
  }
  return `${lines.join('\n')}\n`
}

const sockets = '/var/run/wireguard' // where wireguard-go keeps a control socket for each device

/** Removes the namespaces and control sockets of workers that are gone. */
async function sweep(): Promise<void> {
  const names = (await must('ip', ['netns', 'list'])).split('\n').map(line => line.split(' ')[0] ?? '')
  for (const name of names) {
    const pid = /^tl-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await removeNamespace(name)
  }
  removeSockets(pid => !isAlive(pid))
}

/** A killed wireguard-go leaves its socket. */
function removeSockets(owned: (pid: number) => boolean): void {
  for (const name of existsSync(sockets) ? readdirSync(sockets) : []) {
    const pid = /^tl(\d+)n\d+\.sock$/.exec(name)?.[1]
    if (pid !== undefined && owned(Number(pid))) rmSync(join(sockets, name), { force: true })
  }
}

/** Ends what runs in a namespace, and removes it. */
export async function removeNamespace(name: string): Promise<void> {
  const pids = (await run('ip', ['netns', 'pids', name])).stdout.split('\n').filter(Boolean).map(Number)
  for (const pid of pids)
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // ESRCH: it has ended since
    }
  await run('ip', ['netns', 'del', name])
}
