// A far host on the kernel's side, and the wg-quick conf with which tunless on the near host reaches it or is reached.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type KernelInterface, keyPair, type Network, presharedKey, startKernelPeer } from './netns.js'
import { type Program, until } from './process.js'
import { command } from './tarball.js'

/** Addresses inside the tunnel. */
export const farInside = { 4: '10.7.0.1', 6: 'fd07::1' } as const
export const nearInside = { 4: '10.7.0.2', 6: 'fd07::2' } as const

export interface LinkOptions {
  /** Of the datagrams between the hosts. */
  family: 4 | 6
  psk: boolean
  /** 'near': tunless has an Endpoint and initiates. 'far': the kernel's side has one, and tunless only listens. */
  initiator: 'near' | 'far'
}

export interface Link {
  /** Path of the conf for tunless. */
  conf: string
  far: KernelInterface
  /** Ends the far peer and starts it again with the same keys, port and addresses. */
  restart(): Promise<void>
}

const port = 51820
let count = 0

export async function createLink(network: Network, options: LinkOptions): Promise<Link> {
  const { family, initiator } = options
  const [far, near] = await Promise.all([keyPair(), keyPair()])
  const psk = options.psk ? await presharedKey() : undefined
  const endpoint = (host: string) => (family === 6 ? `[${host}]:${port}` : `${host}:${port}`)
  const startFar = () =>
    startKernelPeer(network, network.far, {
      privateKey: far.privateKey,
      listenPort: port,
      addresses: [`${farInside[4]}/24`, `${farInside[6]}/64`],
      peers: [
        {
          publicKey: near.publicKey,
          allowedIps: [`${nearInside[4]}/32`, `${nearInside[6]}/128`],
          ...(psk === undefined ? {} : { presharedKey: psk }),
          ...(initiator === 'far' ? { endpoint: endpoint(network.underlay.near[family]) } : {}),
        },
      ],
    })
  const lines = [
    '[Interface]',
    `PrivateKey = ${near.privateKey}`,
    `Address = ${nearInside[4]}/32, ${nearInside[6]}/128`,
    ...(initiator === 'far' ? [`ListenPort = ${port}`] : []),
    '',
    '[Peer]',
    `PublicKey = ${far.publicKey}`,
    ...(psk === undefined ? [] : [`PresharedKey = ${psk}`]),
    'AllowedIPs = 10.7.0.0/24, fd07::/64',
    ...(initiator === 'near' ? [`Endpoint = ${endpoint(network.underlay.far[family])}`] : []),
  ]
  const conf = join(network.folder, `near-${count++}.conf`)
  writeFileSync(conf, `${lines.join('\n')}\n`, { mode: 0o600 })
  const link: Link = {
    conf,
    far: await startFar(),
    async restart() {
      await link.far.stop()
      link.far = await startFar()
    },
  }
  return link
}

/** What `tunless up --ready-file` writes. */
export interface Ready {
  listeners: { type: 'proxy' | 'forward' | 'reverse'; host: string; port: number }[]
}

export interface Up {
  program: Program
  ready: Ready
}

/** `tunless up` of the installed tarball on the near host, started and ready. */
export async function startUp(network: Network, link: Pick<Link, 'conf'>, args: string[]): Promise<Up> {
  const [node, ...rest] = (await command()) as [string, ...string[]]
  const file = join(network.folder, `ready-${count++}.json`)
  const program = network.near.start(node, [...rest, 'up', '-c', link.conf, '--ready-file', file, ...args])
  await until('the ready file', () => {
    if (program.child.exitCode !== null) throw new Error(`tunless up ended: ${program.stderr}`)
    return existsSync(file)
  })
  return { program, ready: readReady(file) }
}

export function readReady(file: string): Ready {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** The local port of the first listener of a type. */
export function listenerOf(ready: Ready, type: Ready['listeners'][number]['type']): number {
  const listener = ready.listeners.find(one => one.type === type)
  if (listener === undefined) throw new Error(`no ${type} in ${JSON.stringify(ready)}`)
  return listener.port
}
