// A tunnel that is changed while it runs, by the library and by the userspace configuration protocol: lines 26 to 29.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { uapiOf } from '../../src/app/uapi.js'
import { openTunnel, parseConfig, type Tunnel, type TunnelSocket } from '../../src/index.js'
import { newKeyPair, openPair, type Pair } from '../support/pair.js'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(each => each.close()))
})

async function pairWithEcho(): Promise<Pair> {
  const pair = await openPair()
  open.push(pair)
  const server = pair.gateway.createServer(socket => socket.on('error', () => {}).pipe(socket))
  server.listen(7)
  await once(server, 'listening')
  return pair
}

async function connectEcho(pair: Pair): Promise<TunnelSocket> {
  const socket = pair.runner.connect(7, 'web1').on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function echoes(socket: TunnelSocket, text: string): Promise<void> {
  socket.write(text)
  let got = ''
  while (got.length < text.length) got += (await once(socket, 'data'))[0]
  expect(got).toBe(text)
}

/** A tunnel without peers, or with those of `peers`. */
async function alone(peers = '', privateKey = newKeyPair().privateKey): Promise<Tunnel> {
  const somebody = `[Peer]\nPublicKey = ${newKeyPair().publicKey}\n`
  const text = `[Interface]\nPrivateKey = ${privateKey}\nAddress = 10.7.0.9/24\n${peers || somebody}`
  const config = parseConfig(text, 'test')
  const tunnel = await openTunnel(peers === '' ? { ...config, peers: [] } : config)
  open.push(tunnel)
  return tunnel
}

const hexOf = (key: string) => Buffer.from(key, 'base64').toString('hex')

describe('a tunnel whose private key changes', () => {
  it('keeps its connections', async () => {
    const pair = await pairWithEcho()
    const socket = await connectEcho(pair)
    await echoes(socket, 'before')
    const former = pair.runner.publicKey
    const next = newKeyPair()
    pair.gateway.setPeer({ publicKey: next.publicKey, allowedIps: ['10.7.0.2/32', 'fd07::2/128'], name: 'runner' })
    await pair.runner.setPrivateKey(next.privateKey)
    expect(pair.runner.publicKey).toBe(next.publicKey)
    await echoes(socket, 'after')
    expect(pair.gateway.removePeer(former)).toBe(true)
    expect(pair.gateway.removePeer(former)).toBe(false)
    await echoes(socket, 'and without the former key')
    expect(pair.gateway.peers().map(peer => [peer.publicKey, peer.name])).toEqual([[next.publicKey, 'runner']])
  })

  it('has its new key to itself, and gives the former one back', async () => {
    const pair = await pairWithEcho()
    const next = newKeyPair()
    await pair.runner.setPrivateKey(next.privateKey)
    await expect(alone('', next.privateKey)).rejects.toMatchObject({ code: 'TUNNEL_KEY_IN_USE' })
    await expect(pair.gateway.setPrivateKey(next.privateKey)).rejects.toMatchObject({ code: 'TUNNEL_KEY_IN_USE' })
    const former = Buffer.from(pair.runner.config.interface.privateKey as Uint8Array).toString('base64')
    expect((await alone('', former)).closed).toBe(false)
  })

  it('loses a peer that has that key, and the same key again changes nothing (W26)', async () => {
    const pair = await pairWithEcho()
    const socket = await connectEcho(pair)
    const { privateKey, publicKey } = newKeyPair()
    pair.runner.setPeer({ publicKey, name: 'ghost', addresses: ['10.7.0.66'] })
    expect(await pair.runner.lookup('ghost')).toEqual({ address: '10.7.0.66', family: 4 })
    await pair.runner.setPrivateKey(privateKey)
    expect(pair.runner.peers().map(peer => peer.name)).toEqual(['web1'])
    await expect(pair.runner.lookup('ghost')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    await pair.runner.setPrivateKey(privateKey)
    socket.destroy()
  })
})

describe('a tunnel that moves to another port', () => {
  it('keeps its connections: the peer follows (W24) (W28)', async () => {
    const pair = await pairWithEcho()
    const socket = await connectEcho(pair)
    await echoes(socket, 'before')
    const before = pair.runner.port
    await pair.runner.setPort(0)
    expect(pair.runner.port).not.toBe(before)
    await echoes(socket, 'after')
    expect(pair.gateway.peers()[0]?.endpoint).toBe(`127.0.0.1:${pair.runner.port}`)
  })

  it('stays where it is when the port is taken', async () => {
    const pair = await pairWithEcho()
    const socket = await connectEcho(pair)
    const before = pair.runner.port
    await expect(pair.runner.setPort(pair.gateway.port)).rejects.toMatchObject({ code: 'UDP_BIND_FAILED' })
    expect(pair.runner.port).toBe(before)
    await echoes(socket, 'still here')
  })
})

describe('setPeer', () => {
  it('adds a peer, changes it, and leaves what it is not told', async () => {
    const tunnel = await alone()
    const { publicKey } = newKeyPair()
    const presharedKey = Buffer.alloc(32, 5).toString('base64')
    tunnel.setPeer({
      publicKey,
      presharedKey,
      name: 'web1',
      tags: ['web'],
      endpoint: '[::1]:9',
      persistentKeepalive: 25,
      allowedIps: ['10.7.0.1/32', '10.8.0.0/16'],
    })
    const expected = {
      publicKey,
      name: 'web1',
      tags: ['tag:web'],
      endpoint: '[::1]:9',
      hasPresharedKey: true,
      persistentKeepalive: 25,
      addresses: ['10.7.0.1'],
      allowedIps: ['10.7.0.1/32', '10.8.0.0/16'],
    }
    expect(tunnel.peers({ tag: 'tag:web' })).toMatchObject([expected])
    expect(await tunnel.lookup('web1')).toEqual({ address: '10.7.0.1', family: 4 })
    const changed = tunnel.setPeer({ publicKey, allowedIps: ['10.7.0.2/32'], presharedKey: null })
    const change = { addresses: ['10.7.0.2'], allowedIps: ['10.7.0.2/32'], hasPresharedKey: false }
    expect(changed).toMatchObject({ ...expected, ...change })
    expect(await tunnel.lookup('web1')).toEqual({ address: '10.7.0.2', family: 4 })
  })

  it('a second one with the same AllowedIPs takes them from the first', async () => {
    const tunnel = await alone()
    const [first, second] = [newKeyPair().publicKey, newKeyPair().publicKey]
    tunnel.setPeer({ publicKey: first, allowedIps: ['10.0.0.0/8', '10.1.0.0/16'] })
    tunnel.setPeer({ publicKey: second, allowedIps: ['10.0.0.0/8'] })
    expect(tunnel.stats().peers.map(peer => peer.allowedIps)).toEqual([['10.1.0.0/16'], ['10.0.0.0/8']])
  })

  it.each([
    ['a key that is none', { publicKey: 'x' }],
    ['a prefix that is none', { allowedIps: ['10.0.0.0/33'] }],
    ['an endpoint without port', { endpoint: 'vpn.example' }],
    ['a keepalive beyond 65535', { persistentKeepalive: 65_536 }],
    ['a preshared key that is none', { presharedKey: 'secret' }],
  ])('throws USAGE for %s, shows no key, and changes nothing', async (_name, change) => {
    const tunnel = await alone()
    const call = () => tunnel.setPeer({ publicKey: newKeyPair().publicKey, ...change })
    expect(call).toThrow(expect.objectContaining({ code: 'USAGE' }))
    expect(call).not.toThrow(/secret/)
    expect(tunnel.peers()).toEqual([])
  })

  it("throws USAGE for the tunnel's own key", async () => {
    const tunnel = await alone()
    expect(() => tunnel.setPeer({ publicKey: tunnel.publicKey })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

describe('set=1 on a running tunnel', () => {
  it('adds, changes and removes peers, and leaves sessions of others alone (W28)', async () => {
    const pair = await pairWithEcho()
    const socket = await connectEcho(pair)
    await echoes(socket, 'before')
    const ask = uapiOf(pair.runner)
    const { publicKey } = newKeyPair()
    const peer = `public_key=${hexOf(publicKey)}`
    expect(
      await ask(`set=1\n${peer}\nendpoint=127.0.0.5:5\nallowed_ip=10.9.0.0/16\npersistent_keepalive_interval=25`),
    ).toBe('errno=0\n\n')
    expect(pair.runner.peers()[1]).toMatchObject({ publicKey, endpoint: '127.0.0.5:5', allowedIps: ['10.9.0.0/16'] })
    expect(await ask(`set=1\n${peer}\nallowed_ip=10.10.0.0/16\nallowed_ip=-10.9.0.0/16`)).toBe('errno=0\n\n')
    expect(pair.runner.peers()[1]?.allowedIps).toEqual(['10.10.0.0/16'])
    expect(await ask(`set=1\n${peer}\nremove=true`)).toBe('errno=0\n\n')
    expect(await ask(`set=1\n${peer}\nupdate_only=true\nendpoint=127.0.0.5:5`)).toBe('errno=0\n\n')
    expect(pair.runner.peers().map(each => each.name)).toEqual(['web1'])
    await echoes(socket, 'after')
    expect(pair.runner.stats().device.initiationsSent).toBe(1)
  })

  it('with an error changes nothing, not even what stands before it (W28)', async () => {
    const tunnel = await alone()
    const before = tunnel.port
    const peer = `public_key=${hexOf(newKeyPair().publicKey)}`
    expect(await uapiOf(tunnel)(`set=1\nlisten_port=0\n${peer}\nallowed_ip=nonsense/8`)).toBe('errno=-22\n\n')
    expect([tunnel.port, tunnel.peers()]).toEqual([before, []])
  })

  it('listen_port=0 and fwmark=0 succeed; a mark and a port in use do not (W28)', async () => {
    const tunnel = await alone()
    const other = await alone()
    const ask = uapiOf(tunnel)
    const before = tunnel.port
    expect(await ask('set=1\nlisten_port=0\nfwmark=0')).toBe('errno=0\n\n')
    expect(tunnel.port).not.toBe(before)
    expect(await ask('set=1\nfwmark=1')).toBe('errno=-95\n\n')
    expect(await ask(`set=1\nlisten_port=${other.port}`)).toBe('errno=-98\n\n')
  })

  it('changes the private key, takes it away, and ignores a peer with our own (W26) (W28)', async () => {
    const tunnel = await alone()
    const ask = uapiOf(tunnel)
    const { privateKey, publicKey } = newKeyPair()
    expect(await ask(`set=1\nprivate_key=${hexOf(privateKey)}\npublic_key=${hexOf(publicKey)}`)).toBe('errno=0\n\n')
    expect([tunnel.publicKey, tunnel.peers()]).toEqual([publicKey, []])
    expect(await ask('get=1')).toMatch(/^private_key=[0-9a-f]{64}\nlisten_port=\d+\nerrno=0\n\n$/)
    expect(await ask(`set=1\nprivate_key=${'0'.repeat(64)}`)).toBe('errno=0\n\n')
    expect([tunnel.publicKey, await ask('get=1')]).toEqual(['', expect.not.stringContaining('private_key')])
  })

  it('an endpoint that is one of its name keeps the name; another replaces it (W27) (W28)', async () => {
    const { publicKey } = newKeyPair()
    const tunnel = await alone(`[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = 10.7.0.1/32\nEndpoint = localhost:9\n`)
    await expect.poll(() => tunnel.peers()[0]?.endpoint).toBeDefined()
    const set = (endpoint: string) => uapiOf(tunnel)(`set=1\npublic_key=${hexOf(publicKey)}\nendpoint=${endpoint}`)
    const called = async () => ((await tunnel.ready({ timeout: 10 }).catch((error: Error) => error)) as Error).message
    expect(await set(tunnel.peers()[0]?.endpoint as string)).toBe('errno=0\n\n')
    expect(await called()).toContain('at localhost:9')
    expect(await set('127.0.0.77:9')).toBe('errno=0\n\n')
    expect(await called()).toContain('at 127.0.0.77:9')
  })

  it.each(['', 'hello', 'get=2', 'set=2\nlisten_port=0', 'get=1\nmore'])('%j is refused', async request => {
    expect(await uapiOf(await alone())(request)).toMatch(/^errno=-(71|22)\n\n$/)
  })
})

describe.runIf(process.platform === 'linux')('an ICMP error', () => {
  it('lets ready() say that nothing listens there, and ends no session that comes later (W29)', async () => {
    const probe = createSocket('udp4').bind(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address()
    probe.close()
    await once(probe, 'close')
    const [near, far] = [newKeyPair(), newKeyPair()]
    const tunnel = await openTunnel({
      text: `[Interface]
PrivateKey = ${near.privateKey}
Address = 10.7.0.2/32
[Peer]
PublicKey = ${far.publicKey}
AllowedIPs = 10.7.0.1/32
Endpoint = 127.0.0.1:${port}
`,
    })
    open.push(tunnel)
    await expect(tunnel.ready({ timeout: 300 })).rejects.toMatchObject({
      code: 'HANDSHAKE_TIMEOUT',
      message: expect.stringContaining('nothing listens on that port'),
    })
    open.push(
      await openTunnel({
        text: `[Interface]
PrivateKey = ${far.privateKey}
Address = 10.7.0.1/32
ListenPort = ${port}
[Peer]
PublicKey = ${near.publicKey}
AllowedIPs = 10.7.0.2/32
`,
      }),
    )
    expect((await tunnel.ready({ timeout: 10_000 })).peer?.publicKey).toBe(far.publicKey)
  })
})
