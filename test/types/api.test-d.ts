// The public API's types. Compiled by `npm run types` and by vitest's types project; a wrong expectation is an error.
import type { LookupAddress } from 'node:dns'
import type { LookupFunction, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, expectTypeOf, it } from 'vitest'
import {
  type Config,
  type DatagramFlow,
  type DnsLimits,
  type FlowInfo,
  type ForwardPeer,
  openTunnel,
  type PeerInfo,
  type PeerSettings,
  type PolicySource,
  parseConfig,
  type Ready,
  type Tunnel,
  TunnelError,
  type TunnelErrorCode,
  type TunnelForwarder,
  type TunnelOptions,
  type TunnelSocket,
  type TunnelStats,
} from '../../src/index.js'

describe('openTunnel', () => {
  it('takes a path, a URL, text or a parsed configuration', () => {
    expectTypeOf(openTunnel)
      .parameter(0)
      .toEqualTypeOf<string | URL | { readonly text: string; readonly name?: string } | Config>()
    expectTypeOf(parseConfig).returns.toEqualTypeOf<Config>()
  })

  it('gives a tunnel that `await using` closes', () => {
    expectTypeOf(openTunnel).returns.resolves.toEqualTypeOf<Tunnel>()
    expectTypeOf<Tunnel>().toExtend<AsyncDisposable>()
  })

  it('takes a congestion control by its name', () => {
    expectTypeOf<TunnelOptions['congestion']>().toEqualTypeOf<'bbr' | 'cubic' | undefined>()
    // @ts-expect-error
    openTunnel('deploy.conf', { congestion: 'reno' })
  })

  it('takes a policy and a netmap by path or as text', () => {
    expectTypeOf<TunnelOptions['policy']>().toEqualTypeOf<PolicySource | undefined>()
    expectTypeOf<TunnelOptions['netmap']>().toEqualTypeOf<PolicySource | undefined>()
    expectTypeOf<TunnelOptions['policyMode']>().toEqualTypeOf<'enforce' | 'report' | undefined>()
    expectTypeOf<FlowInfo['decision']>().toEqualTypeOf<'allowed' | 'reported' | 'denied' | 'cut'>()
  })

  it('takes no backend that does not exist', () => {
    // @ts-expect-error
    openTunnel('deploy.conf', { crypto: 'rot13' })
  })
})

describe('a tunnel', () => {
  it('says who answered, if anybody was called', () => {
    expectTypeOf<Tunnel['ready']>().returns.resolves.toEqualTypeOf<Ready>()
    expectTypeOf<Ready['peer']>().toEqualTypeOf<PeerInfo | undefined>()
    expectTypeOf<PeerInfo['rtt']>().toEqualTypeOf<number | undefined>()
  })

  it('connects by options or by port and host, never without a host', () => {
    expectTypeOf<Tunnel['connect']>().toBeCallableWith({ host: 'web1', port: 22 })
    expectTypeOf<Tunnel['connect']>().toBeCallableWith(22, 'web1')
    expectTypeOf<Tunnel['connect']>().toBeCallableWith({ tag: 'tag:web', port: 22 })
    const tunnel = {} as Tunnel
    // @ts-expect-error
    tunnel.connect(22)
    // @ts-expect-error
    tunnel.connect({ port: 22 })
  })

  it("looks names up in dns.lookup's shape, for whoever takes one", () => {
    const { lookup } = {} as Tunnel
    expectTypeOf(lookup).toExtend<LookupFunction>()
    expectTypeOf(lookup('web1')).resolves.toEqualTypeOf<LookupAddress>()
    expectTypeOf(lookup('web1', { all: true })).resolves.toEqualTypeOf<LookupAddress[]>()
    lookup('web1', { all: true }, (_error, addresses) => expectTypeOf(addresses).toEqualTypeOf<LookupAddress[]>())
    lookup('web1', (_error, address, family) => expectTypeOf([address, family]).toEqualTypeOf<(string | number)[]>())
    expectTypeOf<TunnelOptions['dnsLimits']>().toEqualTypeOf<Partial<DnsLimits> | undefined>()
  })

  it('is changed and counted by documented types', () => {
    expectTypeOf<Tunnel['stats']>().returns.toEqualTypeOf<TunnelStats>()
    expectTypeOf<TunnelStats['peers']>().toEqualTypeOf<readonly PeerInfo[]>()
    expectTypeOf<Tunnel['setPeer']>().parameter(0).toEqualTypeOf<PeerSettings>()
    expectTypeOf<Tunnel['setPeer']>().toBeCallableWith({ publicKey: 'key', allowedIps: ['10.0.0.0/8'] })
    expectTypeOf<Tunnel['removePeer']>().returns.toEqualTypeOf<boolean>()
    expectTypeOf<Tunnel['setPrivateKey']>().returns.toEqualTypeOf<Promise<void>>()
  })

  it('types its events', () => {
    const tunnel = {} as Tunnel
    tunnel.on('handshake', peer => expectTypeOf(peer).toEqualTypeOf<PeerInfo>())
    tunnel.on('warning', message => expectTypeOf(message).toEqualTypeOf<string>())
  })
})

describe('a socket', () => {
  it("is a Duplex with net.Socket's face", () => {
    expectTypeOf<TunnelSocket>().toExtend<Duplex>()
    type Face =
      | 'remoteAddress'
      | 'remotePort'
      | 'localPort'
      | 'setTimeout'
      | 'setNoDelay'
      | 'setKeepAlive'
      | 'ref'
      | 'unref'
    expectTypeOf<keyof TunnelSocket>().extract<Face>().toEqualTypeOf<Face>()
    expectTypeOf<Parameters<TunnelSocket['setTimeout']>[0]>().toEqualTypeOf<Parameters<Socket['setTimeout']>[0]>()
  })
})

describe('an error', () => {
  it('has one of the known codes', () => {
    expectTypeOf<TunnelError['code']>().toEqualTypeOf<TunnelErrorCode>()
    expectTypeOf<'HANDSHAKE_TIMEOUT'>().toExtend<TunnelErrorCode>()
    expectTypeOf<'SOMETHING_ELSE'>().not.toExtend<TunnelErrorCode>()
    expectTypeOf(new TunnelError('USAGE', 'say what')).toExtend<Error>()
  })
})

it('a forwarder hands over what peers ask for', () => {
  const tunnel = {} as Tunnel
  const forwarder = tunnel.createForwarder(
    { prefixes: ['10.0.0.0/8'] },
    {
      tcp: async request => {
        expectTypeOf(request.signal).toEqualTypeOf<AbortSignal>()
        expectTypeOf(request.peer).toEqualTypeOf<ForwardPeer | undefined>()
        expectTypeOf(await request.accept({ allowHalfOpen: true })).toEqualTypeOf<TunnelSocket>()
      },
      udp: request => {
        const flow = request.accept({ message: bytes => flow?.send(bytes), error: () => {}, closed: () => {} })
        expectTypeOf(flow).toEqualTypeOf<DatagramFlow | undefined>()
      },
      ping: echo => echo.refuse('prohibited'),
    },
  )
  expectTypeOf(forwarder).toEqualTypeOf<TunnelForwarder>()
})
