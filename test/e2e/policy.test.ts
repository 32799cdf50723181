// Who may reach whom, with two real tunnels over UDP on loopback: refused at the runner, at the gateway, and by a change.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTunnel, parseConfig, type Tunnel, type TunnelOptions, type TunnelSocket } from '../../src/index.js'
import type { FlowInfo } from '../../src/node/policy/flow-info.js'
import { createDialer } from '../../src/proxy/dialer.js'
import { startProxy } from '../../src/proxy/proxy.js'
import { newKeyPair } from '../support/pair.js'

const policy = `{
  "tagOwners": { "tag:ci": [], "tag:web": [], "tag:db": [] },
  "grants": [
    { "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["tcp:22", "tcp:443", "udp:514"] },
  ],
}`
const nothing = '{ "tagOwners": { "tag:ci": [], "tag:web": [], "tag:db": [] }, "grants": [] }'
/** As tunnel-policy.ts has it: the runner does not check, as a hostile one would not. */
const unchecked = { [Symbol.for('tunless.test.ignoreOutbound')]: true }

let folder = ''
const tunnels: Tunnel[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunless-policy-'))
})
afterEach(async () => {
  await Promise.all(tunnels.splice(0).map(tunnel => tunnel.close()))
  rmSync(folder, { recursive: true })
})

interface World {
  readonly gateway: Tunnel
  readonly runner: Tunnel
  readonly flows: { readonly gateway: FlowInfo[]; readonly runner: FlowInfo[] }
  readonly keys: { readonly gateway: string; readonly runner: string }
}

/** The gateway is web1 at 10.7.0.1 with tag:web, the runner ci1 at 10.7.0.2 with tag:ci. */
async function open(gatewayOptions: TunnelOptions, runnerOptions: TunnelOptions): Promise<World> {
  const keys = [newKeyPair(), newKeyPair()] as const
  const flows = { gateway: [] as FlowInfo[], runner: [] as FlowInfo[] }
  const gateway = await openTunnel(
    {
      text: `[Interface]
PrivateKey = ${keys[0].privateKey}
Address = 10.7.0.1/24, fd07::1/64
Name = web1
Tags = web
[Peer]
Name = ci1
Tags = ci
PublicKey = ${keys[1].publicKey}
AllowedIPs = 10.7.0.2/32, fd07::2/128
`,
    },
    gatewayOptions,
  )
  tunnels.push(gateway)
  gateway.on('flow', flow => flows.gateway.push(flow))
  const runner = await openTunnel(
    {
      text: `[Interface]
PrivateKey = ${keys[1].privateKey}
Address = 10.7.0.2/32, fd07::2/128
Name = ci1
Tags = ci
[Peer]
Name = web1
Tags = web
Address = 10.7.0.1, fd07::1
PublicKey = ${keys[0].publicKey}
AllowedIPs = 10.7.0.0/24, fd07::/64
Endpoint = 127.0.0.1:${gateway.port}
`,
    },
    runnerOptions,
  )
  tunnels.push(runner)
  runner.on('flow', flow => flows.runner.push(flow))
  for (const port of [22, 443, 5432]) await listen(gateway, port)
  return { gateway, runner, flows, keys: { gateway: keys[0].publicKey, runner: keys[1].publicKey } }
}

async function listen(gateway: Tunnel, port: number): Promise<void> {
  const server = gateway.createServer(socket => socket.on('error', () => {}).pipe(socket))
  server.listen(port)
  await once(server, 'listening')
}

const refused = ['EACCES', 'POLICY_DENIED', expect.any(String)]

/** `open`, or the code and what the tunnel says of it. */
async function dial(tunnel: Tunnel, host: string, port: number): Promise<string[]> {
  const socket = tunnel.connect({ host, port, timeout: 10_000 })
  try {
    await once(socket, 'connect')
    return ['open']
  } catch (error) {
    const { code, cause } = error as NodeJS.ErrnoException
    return [String(code), String((cause as { code?: unknown } | undefined)?.code), String((cause as Error)?.message)]
  } finally {
    socket.destroy()
  }
}

async function established(tunnel: Tunnel, port: number): Promise<TunnelSocket> {
  const socket = tunnel.connect({ host: 'web1', port, timeout: 10_000 }).on('error', () => {})
  await once(socket, 'connect')
  return socket
}

function closed(socket: TunnelSocket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()))
}

function write(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('a policy', () => {
  it('lets a runner reach what a rule names, and refuses the rest there, with the missing rule', async () => {
    const { runner, flows } = await open({}, { policy: { text: policy, name: 'policy.hujson' } })
    expect(await dial(runner, 'web1', 22)).toEqual(['open'])
    expect(await dial(runner, 'fd07::1', 443)).toEqual(['open'])
    for (const host of ['web1', '10.7.0.1', 'fd07::1', '::ffff:10.7.0.1']) {
      const [code, cause, message] = await dial(runner, host, 5432)
      expect([code, cause]).toEqual(['EACCES', 'POLICY_DENIED'])
      expect(message).toMatch(
        /^policy\.hujson does not let ci1 \(tag:ci, .*\) reach web1 \(tag:web, .*\) on tcp:5432: /,
      )
      expect(message).toContain('{"src":["tag:ci"],"dst":["tag:web"],"ip":["tcp:5432"]}')
    }
    expect(flows.runner.filter(flow => flow.decision === 'denied')).toMatchObject([
      { direction: 'out', destination: { address: '10.7.0.1', port: 5432, node: 'web1', tags: ['tag:web'] }, count: 1 },
      { direction: 'out', destination: { address: 'fd07::1', port: 5432 }, count: 1 },
    ])
  })

  it('holds for UDP and ping, too', async () => {
    const { runner } = await open({}, { policy: { text: policy } })
    const socket = runner.createSocket()
    const send = (port: number) =>
      new Promise<NodeJS.ErrnoException | null>(resolve => socket.send('x', port, '10.7.0.1', resolve))
    expect(await send(514)).toBeNull()
    expect(await send(53)).toMatchObject({ code: 'EACCES', cause: { code: 'POLICY_DENIED' } })
    expect(await runner.ping('web1')).toMatchObject({ address: '10.7.0.1' })
    await expect(runner.ping('10.7.0.9')).rejects.toMatchObject({ code: 'EACCES', cause: { code: 'POLICY_DENIED' } })
    socket.close()
  })

  it('is reply 2 of SOCKS, and 403 of HTTP with the reason', async () => {
    const { runner } = await open({}, { policy: { text: policy } })
    const proxy = await startProxy({
      at: { host: '127.0.0.1', port: 0 },
      dial: createDialer(target => runner.connect({ ...target, timeout: 10_000 })),
    })
    const { port } = proxy.address as { port: number }
    const socks = net.connect(port, '127.0.0.1')
    socks.write(Buffer.from([5, 1, 0]))
    await once(socks, 'data')
    socks.write(Buffer.from([5, 1, 0, 1, 10, 7, 0, 1, 5432 >> 8, 5432 & 255]))
    const [reply] = (await once(socks, 'data')) as [Buffer]
    expect(reply[1]).toBe(2)
    const request = http.get({ port, path: 'http://web1:5432/', agent: false })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(response.statusCode).toBe(403)
    expect(await text(response)).toContain('"ip":["tcp:5432"]')
    await proxy.close()
  })

  for (const [who, options] of [
    ['does not check', { policy: { text: policy }, ...unchecked }],
    ['has no policy', {}],
  ] as [string, TunnelOptions][]) {
    it(`is kept to by the gateway alone where the runner ${who}: it hears EACCES, and no service is asked`, async () => {
      const { runner, gateway, flows } = await open({ policy: { text: policy, name: 'gateway.hujson' } }, options)
      expect(await dial(runner, '10.7.0.1', 22)).toEqual(['open'])
      const [code, cause, message] = await dial(runner, '10.7.0.1', 5432)
      expect([code, cause]).toEqual(['EACCES', 'POLICY_DENIED'])
      expect(message).toContain('10.7.0.1:5432 is prohibited by the other side')
      expect(await dial(runner, 'fd07::1', 9)).toEqual(refused)
      await expect.poll(() => flows.gateway.length).toBe(3)
      expect(flows.gateway.find(flow => flow.decision === 'allowed')).toMatchObject({
        direction: 'in',
        protocol: 'tcp',
        source: { address: '10.7.0.2', node: 'ci1', tags: ['tag:ci'] },
        destination: { address: '10.7.0.1', port: 22, node: 'web1', tags: ['tag:web'] },
        rule: { file: 'gateway.hujson', line: 4 },
      })
      expect(gateway.stats().policy).toMatchObject({ allowedIn: 1, deniedIn: 2 })
    })
  }

  it('in report mode refuses nothing and tells what it would have refused', async () => {
    const { runner, flows } = await open({ policy: { text: policy }, policyMode: 'report' }, {})
    expect(await dial(runner, 'web1', 5432)).toEqual(['open'])
    await expect.poll(() => flows.gateway).toHaveLength(1)
    expect(flows.gateway).toMatchObject([
      { decision: 'reported', refusal: 'no-rule', source: { tags: ['tag:ci'] }, destination: { port: 5432 } },
    ])
  })
})

describe('a tunnel whose policy or netmap cannot be used', () => {
  const conf = () => ({
    text: `[Interface]\nPrivateKey = ${newKeyPair().privateKey}\nAddress = 10.7.0.1\nTags = web\n`,
  })
  const netmap = (nodes: object[]) => ({ text: JSON.stringify({ nodes }) })
  const cases: [string, TunnelOptions, string, RegExp][] = [
    ['is not there', { policy: '/nonexistent/policy' }, 'POLICY_UNREADABLE', /there is no such file/],
    ['has an error', { policy: { text: '{ "acls": [', name: 'p' } }, 'POLICY_INVALID', /^p:1:\d+: /],
    ['says nothing', { policy: { text: '{}' } }, 'POLICY_INVALID', /acls/],
    ['has a mode alone', { policyMode: 'report' }, 'USAGE', /there is no policy/],
    ['has a tag of nobody', { policy: { text: '{ "acls": [] }' } }, 'NETMAP_INVALID', /tag:web/],
    ['has a netmap with an error', { netmap: { text: '{', name: 'n' } }, 'NETMAP_INVALID', /^n:1:\d+: /],
    [
      'has two nodes of one name',
      {
        netmap: netmap([
          { name: 'a', addresses: ['10.7.0.1'] },
          { name: 'A', addresses: ['10.7.0.2'] },
        ]),
      },
      'NETMAP_INVALID',
      /"?a"?/i,
    ],
    [
      'has an address twice',
      {
        netmap: netmap([
          { name: 'a', addresses: ['10.7.0.1'] },
          { name: 'b', addresses: ['10.7.0.1'] },
        ]),
      },
      'NETMAP_INVALID',
      /10\.7\.0\.1/,
    ],
  ]
  for (const [what, options, code, message] of cases) {
    it(`${what}: it is not opened`, async () => {
      await expect(openTunnel(conf(), options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    })
  }
})

describe('a change of the policy', () => {
  it('cuts what it allows no more, at both ends; what it still allows goes on', async () => {
    const file = write('policy.hujson', policy)
    const { gateway, runner, flows } = await open({ policy: file }, {})
    const ssh = await established(runner, 22)
    const web = await established(runner, 443)
    write('policy.hujson', policy.replace('"tcp:443", ', ''))
    const cut = closed(web)
    await gateway.reload(gateway.config)
    await cut
    expect(web.errored).toMatchObject({ code: 'ECONNRESET' })
    expect(flows.gateway).toMatchObject([{ decision: 'cut', destination: { port: 443 }, refusal: 'no-rule' }])
    ssh.write('still here')
    expect(String((await once(ssh, 'data'))[0])).toBe('still here')
    expect(await dial(runner, 'web1', 443)).toEqual(refused)
  })

  it('that cannot be used leaves the last good one in force, and is said', async () => {
    const file = write('policy.hujson', policy)
    const { gateway, runner } = await open({ policy: file }, {})
    for (const [bad, code] of [
      ['{ "grants": [ oops ] }', 'POLICY_INVALID'],
      ['{ "grants": [] }', 'NETMAP_INVALID'],
    ] as const) {
      write('policy.hujson', bad)
      await expect(gateway.reload(gateway.config)).rejects.toMatchObject({ code })
      expect(await dial(runner, 'web1', 22)).toEqual(['open'])
      expect(await dial(runner, 'web1', 5432)).toEqual(refused)
    }
    rmSync(file)
    await expect(gateway.reload(gateway.config)).rejects.toMatchObject({ code: 'POLICY_UNREADABLE' })
    expect(await dial(runner, 'web1', 22)).toEqual(['open'])
  })

  it('cuts our own connections, too: they end with EACCES', async () => {
    const file = write('policy.hujson', policy)
    const { runner } = await open({}, { policy: file })
    const socket = await established(runner, 22)
    write('policy.hujson', nothing)
    const cut = closed(socket)
    await runner.reload(runner.config)
    await cut
    expect(socket.errored).toMatchObject({ code: 'EACCES' })
  })

  it('by other tags of a peer cuts its flows, by a reload or a call', async () => {
    const { gateway, runner, keys } = await open({ policy: { text: policy } }, {})
    const { config } = gateway
    const peers = config.peers.map(peer => ({ ...peer, tags: ['tag:db'] }))
    for (const change of [
      () => gateway.reload({ ...config, peers }),
      () => gateway.setPeer({ publicKey: keys.runner, tags: ['tag:db'] }),
      () => gateway.removePeer(keys.runner),
    ]) {
      await gateway.reload(config)
      const socket = await established(runner, 22)
      const cut = expect.poll(() => gateway.stats().sockets.connections).toBe(0)
      await change()
      await cut
      socket.destroy()
      await gateway.reload(config)
    }
  })
})

describe('a netmap', () => {
  async function openWith(nodes: (keys: World['keys']) => object[], change: Partial<TunnelOptions> = {}) {
    const file = write('netmap.json', '{ "nodes": [] }')
    const world = await open({}, { netmap: file, ...change })
    write('netmap.json', JSON.stringify({ domain: 'corp.example', nodes: nodes(world.keys) }))
    await world.runner.reload(world.runner.config)
    return world
  }

  it('gives names, with its domain or without, and tags that stand for any node that answers', async () => {
    const { runner } = await openWith(keys => [
      { name: 'dead', addresses: ['10.7.0.77'], tags: ['tag:web'] },
      { name: 'front', key: keys.gateway, addresses: ['10.7.0.1'], tags: ['tag:web'] },
      { name: 'gone', addresses: ['10.7.0.78'], tags: ['tag:old'], expiry: '2020-01-01T00:00:00Z' },
    ])
    for (const name of [
      'front',
      'FRONT.corp.example.',
      'web1.corp.example',
      'tag:web',
      'web.tag.corp.example',
      'web.tag',
    ])
      expect([name, await dial(runner, name, 22)]).toEqual([name, ['open']])
    const byTag = { tag: 'tag:web', port: 22 }
    for (const connect of [
      runner.connect,
      runner.createConnection,
      (to: typeof byTag) => new runner.Socket().connect(to),
    ]) {
      const socket = connect(byTag)
      await once(socket, 'connect')
      expect(socket.remoteAddress).toBe('10.7.0.1')
      socket.destroy()
    }
    expect((await runner.lookup('web.tag.corp.example', { all: true })).map(({ address }) => address)).toEqual([
      '10.7.0.1',
      '10.7.0.77',
    ])
    expect(runner.peers({ tag: 'tag:web' })).toMatchObject([{ name: 'web1', tags: ['tag:web'] }])
    expect(() => runner.checkName('tag:old')).toThrow(/no node has "tag:old".*known tags: tag:web/)
    expect(() => runner.checkName('gone')).toThrow('unknown host')
  })

  it('cuts the flows of a node when its time is over', async () => {
    const soon = new Date(Date.now() + 5000).toISOString()
    const { runner } = await openWith(
      keys => [
        { name: 'ci1', key: keys.runner, addresses: ['10.7.0.2'], tags: ['tag:ci'] },
        { name: 'web1', key: keys.gateway, addresses: ['10.7.0.1'], tags: ['tag:web'], expiry: soon },
      ],
      { policy: { text: policy } },
    )
    const socket = await established(runner, 22)
    await closed(socket)
    expect(socket.errored).toMatchObject({ code: 'EACCES' })
    expect((await dial(runner, '10.7.0.1', 22))[2]).toContain('expired')
  })

  it('that gives roles settles the warnings about them', async () => {
    const admins = { text: '{ "grants": [{ "src": ["autogroup:admin"], "dst": ["*"], "ip": ["*"] }] }', name: 'p' }
    const node = { name: 'me', addresses: ['10.7.0.9'], user: 'alice@example.com' }
    for (const [roles, told] of [
      [{}, [expect.stringContaining('cannot be evaluated unless the netmap gives')]],
      [{ roles: ['admin'] }, []],
    ] as const) {
      const warnings: string[] = []
      const netmap = { text: JSON.stringify({ nodes: [{ ...node, ...roles }] }), name: 'n' }
      const conf = parseConfig(`[Interface]\nPrivateKey = ${newKeyPair().privateKey}\nAddress = 10.7.0.9\n`, 'conf')
      const tunnel = await openTunnel(conf, { policy: admins, netmap })
      tunnels.push(tunnel)
      tunnel.on('warning', message => warnings.push(message))
      // Warnings are told in their order: what comes after this one is no warning of the opening.
      tunnel.warn('the last')
      await expect.poll(() => warnings).toContain('the last')
      expect(warnings).toEqual([...told, 'the last'])
    }
  })

  it('without this host in it is warned of, and lets nothing out', async () => {
    const warnings: string[] = []
    const conf = parseConfig(`[Interface]\nPrivateKey = ${newKeyPair().privateKey}\nAddress = 10.7.0.9\n`, 'conf')
    const tunnel = await openTunnel(conf, { policy: { text: policy }, netmap: { text: '{ "nodes": [] }', name: 'n' } })
    tunnels.push(tunnel)
    tunnel.on('warning', message => warnings.push(message))
    await expect.poll(() => warnings).toContainEqual("n has no node with this host's 10.7.0.9: it may reach nobody")
    tunnel.setPeer({ publicKey: newKeyPair().publicKey, allowedIps: ['10.7.0.0/24'] })
    expect((await dial(tunnel, '10.7.0.1', 22))[2]).toContain("no node's in the netmap")
  })
})
