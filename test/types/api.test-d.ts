// The public API's types. Compiled by `npm run types` and by vitest's types project; a wrong expectation is an error.
import type { LookupAddress } from 'node:dns'
import type { ClientRequestArgs, Agent as HttpAgent } from 'node:http'
import http2 from 'node:http2'
import type { Agent as HttpsAgent } from 'node:https'
import type { LookupFunction, Socket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import tls from 'node:tls'
import type { buildConnector } from 'undici'
import { describe, expectTypeOf, it } from 'vitest'
import {
  type Config,
  type ConnectMessage,
  type DatagramFlow,
  type DatagramSocket,
  type DnsLimits,
  type DroppedConnection,
  type FlowInfo,
  type ForwardPeer,
  type HandshakeMessage,
  openTunnel,
  type PeerInfo,
  type PeerSettings,
  type PolicySource,
  parseConfig,
  type Ready,
  type RemoteInfo,
  type SocketError,
  type Tunnel,
  TunnelError,
  type TunnelErrorCode,
  type TunnelForwarder,
  type TunnelOptions,
  type TunnelServer,
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
    expectTypeOf<Tunnel['connect']>().toBeCallableWith({ tag: 'tag:web', port: 22, connectTimeout: 5000 }, () => {})
    expectTypeOf<TunnelSocket['connect']>().toBeCallableWith({ tag: 'tag:web', port: 22 })
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

  it("hands out what stands in for Node's own", () => {
    const tunnel = {} as Tunnel
    expectTypeOf(tunnel.fetch).toEqualTypeOf<typeof fetch>()
    expectTypeOf(tunnel.httpAgent({ maxSockets: 4 })).toEqualTypeOf<HttpAgent>()
    expectTypeOf(tunnel.httpsAgent({ ca: 'pem' })).toEqualTypeOf<HttpsAgent>()
    expectTypeOf(tunnel.connector({ ca: 'pem', timeout: 1000 })).toExtend<buildConnector.connector>()
    expectTypeOf(new tunnel.Socket({ allowHalfOpen: true })).toEqualTypeOf<TunnelSocket>()
    expectTypeOf(tunnel.createConnection).toEqualTypeOf(tunnel.connect)
  })

  it('takes a signal wherever something may take time', () => {
    const tunnel = {} as Tunnel
    const { signal } = new AbortController()
    tunnel.connect({ host: 'web1', port: 22, signal })
    tunnel.createServer().listen({ port: 80, signal })
    tunnel.createSocket({ signal })
    void tunnel.ready({ signal })
    void tunnel.ping('web1', { signal })
    void tunnel.fetch('http://web1/', { signal })
    expectTypeOf(tunnel.lookup('web1', { signal })).resolves.toEqualTypeOf<LookupAddress>()
    expectTypeOf(tunnel.lookup('web1', { signal, all: true })).resolves.toEqualTypeOf<LookupAddress[]>()
    void openTunnel('deploy.conf', { signal })
  })

  it('is disposed of, and so is what listens in it', () => {
    expectTypeOf<TunnelServer>().toExtend<AsyncDisposable>()
    expectTypeOf<DatagramSocket>().toExtend<AsyncDisposable>()
  })

  it('types its events', () => {
    const tunnel = {} as Tunnel
    tunnel.once('silent', peer => expectTypeOf(peer).toEqualTypeOf<PeerInfo>())
    tunnel.off('close', () => {})
    tunnel.emit('warning', 'message')
    // @ts-expect-error
    tunnel.emit('warning', 1)
    tunnel.on('handshake', peer => expectTypeOf(peer).toEqualTypeOf<PeerInfo>())
    tunnel.on('flow', flow => expectTypeOf(flow).toEqualTypeOf<FlowInfo>())
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

describe("a socket goes where libraries' types ask for", () => {
  const socket = {} as TunnelSocket

  it("net's own socket, by any name", () => {
    expectTypeOf<TunnelSocket>().toExtend<Socket>()
    expectTypeOf<TunnelSocket>().toExtend<NodeJS.ReadWriteStream>()
    tls.connect({ socket, servername: 'web1' })
  })

  it("node:http's createConnection, and so that of ws", () => {
    const tunnel = {} as Tunnel
    const options: ClientRequestArgs = { createConnection: () => socket }
    expectTypeOf(options).toEqualTypeOf<ClientRequestArgs>()
    http2.connect('http://web1', { createConnection: () => tunnel.connect(80, 'web1') })
  })

  it.each<[library: string, hook: unknown]>([
    ['pg: a factory of sockets that it connects itself', (() => socket) satisfies () => Duplex],
    ['mysql2: a function that gives a connected one', (() => socket) satisfies (options: unknown) => Duplex],
    ['ssh2: a stream', socket satisfies Readable & NodeJS.WritableStream],
    ['ioredis: what its Connector resolves with', Promise.resolve(socket) satisfies Promise<Socket>],
    ['nodemailer: what getSocket calls back with', { connection: socket } satisfies { connection: Socket }],
  ])('%s', () => {})
})

describe("a socket's events", () => {
  it('have their types, and others are possible', () => {
    const socket = {} as TunnelSocket
    socket.on('data', chunk => expectTypeOf(chunk).toEqualTypeOf<Buffer>())
    socket.once('error', error => expectTypeOf(error).toEqualTypeOf<SocketError>())
    socket.on('close', hadError => expectTypeOf(hadError).toEqualTypeOf<boolean>())
    socket.on('lookup', (_error, address) => expectTypeOf(address).toEqualTypeOf<string | undefined>())
    socket.prependListener('connectionAttempt', (_address, port) => expectTypeOf(port).toEqualTypeOf<number>())
    expectTypeOf(socket.on('of my own', () => {}).once('drain', () => {})).toEqualTypeOf<TunnelSocket>()
    expectTypeOf(socket.setNoDelay().connect({ host: 'web1', port: 22 })).toEqualTypeOf<TunnelSocket>()
  })

  it('and so have those of servers and datagram sockets', () => {
    const tunnel = {} as Tunnel
    tunnel.createServer().on('connection', socket => expectTypeOf(socket).toEqualTypeOf<TunnelSocket>())
    tunnel.createServer().on('drop', dropped => expectTypeOf(dropped).toEqualTypeOf<DroppedConnection>())
    tunnel.createSocket('udp4', (message, from) => {
      expectTypeOf(message).toEqualTypeOf<Buffer>()
      expectTypeOf(from).toEqualTypeOf<RemoteInfo>()
    })
    expectTypeOf<ConnectMessage['socket']>().toEqualTypeOf<TunnelSocket>()
    expectTypeOf<HandshakeMessage['peer']>().toEqualTypeOf<PeerInfo>()
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
