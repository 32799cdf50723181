// Two real tunnels on loopback in this process: a gateway that listens and a runner that calls it.
import { encodeKey } from '../../src/core/base/base64.js'
import { random } from '../../src/node/crypto/random.js'
import { selectCrypto } from '../../src/node/crypto/select.js'
import { openTunnel } from '../../src/node/open.js'
import type { Tunnel } from '../../src/node/tunnel.js'
import type { TunnelOptions } from '../../src/node/tunnel-options.js'

export interface KeyPair {
  readonly privateKey: string
  readonly publicKey: string
}

export function newKeyPair(): KeyPair {
  const secret = new Uint8Array(32)
  random(secret)
  const key = selectCrypto().privateKey(secret)
  const pair = { privateKey: encodeKey(secret), publicKey: encodeKey(key.publicKey) }
  key.wipe()
  return pair
}

export interface Pair {
  /** 10.7.0.1, fd07::1; knows the runner's key, not its endpoint. */
  readonly gateway: Tunnel
  /** 10.7.0.2, fd07::2; `web1` is the gateway. */
  readonly runner: Tunnel
  close(): Promise<void>
}

export interface PairOptions {
  readonly gateway?: TunnelOptions
  readonly runner?: TunnelOptions
  /** Underlay: 127.0.0.1 or ::1. */
  readonly v6?: boolean
  readonly presharedKey?: string
  /** What else lies behind the gateway: AllowedIPs of the runner's, beside the tunnel's own. */
  readonly behind?: string
}

export async function openPair(options: PairOptions = {}): Promise<Pair> {
  const keys = [newKeyPair(), newKeyPair()] as const
  const psk = options.presharedKey === undefined ? '' : `PresharedKey = ${options.presharedKey}\n`
  const gateway = await openTunnel(
    {
      text: `[Interface]
PrivateKey = ${keys[0].privateKey}
Address = 10.7.0.1/24, fd07::1/64
[Peer]
PublicKey = ${keys[1].publicKey}
${psk}AllowedIPs = 10.7.0.2/32, fd07::2/128
`,
    },
    options.gateway,
  )
  const runner = await openTunnel(
    {
      text: `[Interface]
PrivateKey = ${keys[1].privateKey}
Address = 10.7.0.2/32, fd07::2/128
[Peer]
Name = web1
Address = 10.7.0.1, fd07::1
PublicKey = ${keys[0].publicKey}
${psk}AllowedIPs = 10.7.0.0/24, fd07::/64${options.behind === undefined ? '' : `, ${options.behind}`}
Endpoint = ${options.v6 ? '[::1]' : '127.0.0.1'}:${gateway.port}
`,
    },
    options.runner,
  )
  return {
    gateway,
    runner,
    close: async () => {
      await Promise.all([gateway.close(), runner.close()])
    },
  }
}
