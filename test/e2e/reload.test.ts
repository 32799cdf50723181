// A tunnel that takes a changed configuration over while connections run.
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { Config } from '../../src/core/config/config.js'
import { parseConfig, type TunnelSocket } from '../../src/index.js'
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
  await echoes(socket, 'before')
  return socket
}

async function echoes(socket: TunnelSocket, text: string): Promise<void> {
  socket.write(text)
  let got = ''
  while (got.length < text.length) got += (await once(socket, 'data'))[0]
  expect(got).toBe(text)
}

type Peer = Config['peers'][number]

/** The runner's configuration with another one for its only peer, and others behind it. */
function changed({ runner }: Pair, change: (peer: Peer) => Peer, others: readonly Peer[] = []): Config {
  const { config } = runner
  return { ...config, peers: [...config.peers.map(change), ...others] }
}

/** A peer as a file would give it. */
function parsePeer(lines: string): Peer {
  const text = `[Interface]\nPrivateKey = ${newKeyPair().privateKey}\nAddress = 10.7.0.9\n[Peer]\n${lines}\n`
  return parseConfig(text, 'test').peers[0] as Peer
}

describe('a changed configuration', () => {
  it('leaves connections alone whose peer stays, whatever is new about it', async () => {
    const pair = await pairWithEcho()
    const socket = await connectEcho(pair)
    const other = newKeyPair().publicKey
    const next = changed(pair, peer => ({ ...peer, name: 'web2', tags: ['tag:new'], persistentKeepalive: 9 }), [
      parsePeer(`PublicKey = ${other}\nName = db\nAllowedIPs = 10.99.0.0/16, 10.99.0.1/32`),
    ])
    expect(await pair.runner.reload(next)).toEqual([])
    await echoes(socket, 'after')
    const [first, second] = pair.runner.peers()
    expect(first).toMatchObject({ name: 'web2', tags: ['tag:new'], persistentKeepalive: 9 })
    expect(second).toMatchObject({ name: 'db', publicKey: other, allowedIps: ['10.99.0.0/16', '10.99.0.1/32'] })
    expect(pair.runner.config.peers).toHaveLength(2)
  })

  it('takes away what it does not name any more, and nothing that was added otherwise', async () => {
    const pair = await pairWithEcho()
    const named = { ...parsePeer(`PublicKey = ${newKeyPair().publicKey}\nName = db\nAllowedIPs = 10.99.0.1/32`) }
    await pair.runner.reload(changed(pair, peer => ({ ...peer, persistentKeepalive: 9 }), [named]))
    const added = newKeyPair().publicKey
    pair.runner.setPeer({ publicKey: added, allowedIps: ['10.98.0.0/16'] })
    const { persistentKeepalive: _, ...plain } = pair.runner.config.peers[0] as Peer
    await pair.runner.reload({ ...pair.runner.config, peers: [plain] })
    expect(pair.runner.peers().map(peer => [peer.publicKey, peer.persistentKeepalive])).toEqual([
      [pair.gateway.publicKey, 0],
      [added, 0],
    ])
  })

  it('gives a prefix that two peers claim to the last one, whichever of them has changed', async () => {
    const pair = await pairWithEcho()
    const last = parsePeer(`PublicKey = ${newKeyPair().publicKey}\nAllowedIPs = 10.99.0.0/16`)
    await pair.runner.reload(changed(pair, peer => peer, [last]))
    const claim = (peer: Peer) =>
      peer === last ? peer : { ...peer, allowedIps: [...peer.allowedIps, ...last.allowedIps] }
    await pair.runner.reload({ ...pair.runner.config, peers: pair.runner.config.peers.map(claim) })
    expect(pair.runner.peerFor('10.99.1.1')?.publicKey).toBe(pair.runner.peers()[1]?.publicKey)
  })

  it('has its names at once', async () => {
    const pair = await pairWithEcho()
    const host = { name: 'cache', addresses: [Uint8Array.of(10, 7, 0, 1)] }
    const { config } = pair.runner
    await pair.runner.reload({ ...config, interface: { ...config.interface, hosts: [host] } })
    const socket = pair.runner.connect(7, 'cache')
    await once(socket, 'connect')
    await pair.runner.reload(config)
    expect(() => pair.runner.checkName('cache')).toThrow('unknown host')
    socket.destroy()
  })

  it('may have another key and port; connections go on', async () => {
    const pair = await pairWithEcho()
    const socket = await connectEcho(pair)
    const key = newKeyPair()
    pair.gateway.setPeer({ publicKey: key.publicKey, allowedIps: ['10.7.0.2/32', 'fd07::2/128'], name: 'runner' })
    const { config, port } = pair.runner
    const privateKey = Buffer.from(key.privateKey, 'base64')
    const free = await pair.runner.setPort(0).then(() => pair.runner.port)
    expect(free).not.toBe(port)
    await pair.runner.setPort(port)
    await pair.runner.reload({ ...config, interface: { ...config.interface, privateKey, listenPort: free } })
    expect([pair.runner.publicKey, pair.runner.port]).toEqual([key.publicKey, free])
    await echoes(socket, 'after')
  })

  it('tells what only another tunnel can have', async () => {
    const pair = await pairWithEcho()
    const { config } = pair.runner
    const addresses = [{ address: Uint8Array.of(10, 7, 0, 77), length: 24 }]
    const next = { ...config, interface: { ...config.interface, addresses, mtu: 1280 } }
    expect(await pair.runner.reload(next)).toEqual(['Address', 'MTU'])
    expect(pair.runner.addresses).toContain('10.7.0.2')
    expect(await pair.runner.reload(next)).toEqual(['Address', 'MTU'])
  })
})
