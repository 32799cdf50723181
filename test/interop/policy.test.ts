// Tagged servers: tag:ci may reach tag:web on 22 and 443 and nothing else. Two gateways and a runner, each in a namespace of its own;
// refused at the runner, and, where the runner does not check, by the gateways alone, also to a runner that is not ours.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeInterop, programFile } from '../support/interop.js'
import { startUp, type Up } from '../support/link.js'
import {
  createNetwork,
  Host,
  type KernelInterface,
  type KeyPair,
  keyPair,
  type Network,
  removeNamespace,
  startKernelPeer,
} from '../support/netns.js'
import { must } from '../support/process.js'
import { command, installed } from '../support/tarball.js'

const policy = `{
  "tagOwners": { "tag:ci": [], "tag:web": [], "tag:db": [] },
  "grants": [
    { "src": ["tag:ci"], "dst": ["tag:web"], "ip": ["tcp:22", "tcp:443"] },
  ],
  "tests": [
    { "src": "tag:ci", "accept": ["tag:web:22", "tag:web:443"], "deny": ["tag:web:5432", "tag:db:22", "tag:ci:22"] },
    { "src": "tag:db", "deny": ["tag:web:22"] },
  ],
}
`
const services = [22, 443, 5432]

interface Gateway {
  readonly name: string
  readonly host: Host
  readonly inside: Record<4 | 6, string>
  readonly outside: string
  readonly keys: KeyPair
  readonly log: string
  up?: Up
}

describeInterop('tag:ci, tag:web and tag:db', () => {
  let network: Network
  let third: Host
  let web: Gateway
  let db: Gateway
  let runner: KeyPair
  let file: string
  let conf: string
  let tunless: [string, ...string[]]

  beforeAll(async () => {
    network = await createNetwork()
    third = new Host(network.near.name.replace(/-near$/, '-third'))
    await must('ip', ['netns', 'add', third.name])
    const { near } = network
    const pair = ['wire1', 'netns', third.name, 'type', 'veth', 'peer', 'name', 'wire1', 'netns', near.name]
    await must('ip', ['link', 'add', ...pair])
    for (const [host, address] of [
      [third, '10.98.0.1/24'],
      [near, '10.98.0.2/24'],
    ] as const) {
      await host.ip('link', 'set', 'lo', 'up')
      await host.ip('addr', 'add', address, 'dev', 'wire1')
      await host.ip('link', 'set', 'wire1', 'up')
    }
    runner = await keyPair()
    file = join(network.folder, 'policy.hujson')
    writeFileSync(file, policy)
    tunless = (await command()) as [string, ...string[]]
    web = await startGateway('web1', 'tag:web', network.far, 1, '10.99.0.1')
    db = await startGateway('db1', 'tag:db', third, 3, '10.98.0.1')
    conf = join(network.folder, 'runner.conf')
    const peers = [
      ['web', web],
      ['db', db],
    ] as const
    const sections = peers.map(
      ([tag, { name, keys, inside, outside }]) => `[Peer]
Name = ${name}
Tags = ${tag}
PublicKey = ${keys.publicKey}
AllowedIPs = ${inside[4]}/32, ${inside[6]}/128
Endpoint = ${outside}:51820
`,
    )
    const own = `[Interface]\nPrivateKey = ${runner.privateKey}\nAddress = 10.7.0.2/32, fd07::2/128\nName = ci1\nTags = ci\n`
    writeFileSync(conf, [own, ...sections].join('\n'), { mode: 0o600 })
  }, 240_000)

  afterAll(async () => {
    await Promise.all([web?.up?.program.stop(), db?.up?.program.stop()])
    if (third !== undefined) await removeNamespace(third.name)
    await network?.close()
  })

  async function startGateway(
    name: string,
    tag: string,
    host: Host,
    number: number,
    outside: string,
  ): Promise<Gateway> {
    const keys = await keyPair()
    const inside = { 4: `10.7.0.${number}`, 6: `fd07::${number}` }
    const path = join(network.folder, `${name}.conf`)
    const log = join(network.folder, `${name}.log`)
    writeFileSync(
      path,
      `[Interface]
PrivateKey = ${keys.privateKey}
Address = ${inside[4]}/24, ${inside[6]}/64
ListenPort = 51820
Name = ${name}
Tags = ${tag}
[Peer]
Name = ci1
Tags = ci
PublicKey = ${runner.publicKey}
AllowedIPs = 10.7.0.2/32, fd07::2/128
`,
      { mode: 0o600 },
    )
    await host.start(process.execPath, [programFile('greet.mjs'), name, ...services.map(String)]).prints(/on 5432/)
    const ways = services.flatMap(port => ['-R', `${port}:127.0.0.1:${port}`])
    const args = ['--policy', file, '--connection-log', log, ...ways]
    // startUp() starts on the near host of a network.
    const up = await startUp({ ...network, near: host }, { conf: path }, args)
    return { name, host, inside, outside, keys, log, up }
  }

  function flowsOf({ log }: Gateway) {
    const lines = readFileSync(log, 'utf8')
      .split('\n')
      .filter(line => line !== '')
    return lines.map(line => JSON.parse(line)).filter(({ way }) => way === 'policy')
  }

  it('the policy passes its own tests', async () => {
    const [node, ...rest] = tunless
    expect(await must(node, [...rest, 'policy', 'test', file])).toMatch(/passed|ok/i)
  })

  describe('with the policy at the runner', () => {
    const nc = (host: string, port: number) =>
      network.near.run(tunless[0], [...tunless.slice(1), 'nc', '-c', conf, '--policy', file, host, String(port)])

    it('22 and 443 of tag:web are reached', async () => {
      for (const [host, port] of [
        ['web1', 22],
        ['tag:web', 443],
        ['fd07::1', 22],
      ] as const) {
        expect(await nc(host, port)).toMatchObject({ code: 0, stdout: 'web1\n' })
      }
    })

    it('everything else is refused there, with the missing rule, and no packet of it leaves', async () => {
      const before = flowsOf(web).length + flowsOf(db).length
      for (const [host, port, tag] of [
        ['web1', 5432, 'tag:web'],
        ['web1', 80, 'tag:web'],
        ['db1', 22, 'tag:db'],
        ['fd07::3', 443, 'tag:db'],
      ] as const) {
        const refused = await nc(host, port)
        expect(refused).toMatchObject({ code: 1, stdout: '' })
        expect(refused.stderr).toContain(`{"src":["tag:ci"],"dst":["${tag}"],"ip":["tcp:${port}"]}`)
        expect(refused.stderr).toContain('POLICY_DENIED')
      }
      expect(flowsOf(web).length + flowsOf(db).length).toBe(before)
    })
  })

  describe('with the check of the runner switched off', () => {
    it('the gateways alone refuse it, at once and with EACCES, and log it with the tags', async () => {
      const targets = ['web1:22', 'web1:443', 'web1:5432', 'web1:81', 'db1:22', 'db1:5432']
      const args = [programFile('unchecked.mjs'), await installed(), conf, file, ...targets]
      const said = await network.near.must(process.execPath, args)
      expect(said.trim().split('\n')).toEqual([
        'web1:22 open',
        'web1:443 open',
        'web1:5432 EACCES',
        'web1:81 EACCES',
        'db1:22 EACCES',
        'db1:5432 EACCES',
      ])
      const allowed = () =>
        flowsOf(web).filter(({ result, target }) => result === 'allowed' && target === '10.7.0.1:443')
      await expect.poll(() => allowed().length).toBeGreaterThan(0)
      expect(allowed()[0]).toMatchObject({
        protocol: 'tcp',
        peer: 'ci1',
        flow: {
          direction: 'in',
          sourceNode: 'ci1',
          sourceTags: ['tag:ci'],
          destinationNode: 'web1',
          destinationTags: ['tag:web'],
          rule: `${file}:4`,
        },
      })
      const denied = [web, db].flatMap(flowsOf).filter(({ result }) => result === 'denied')
      expect(denied.map(({ target }) => target)).toEqual(
        expect.arrayContaining(['10.7.0.1:5432', '10.7.0.1:81', '10.7.0.3:22', '10.7.0.3:5432']),
      )
      for (const { error, flow } of denied) {
        expect(error).toBe('EACCES')
        expect(flow).toMatchObject({ sourceTags: ['tag:ci'], rule: null, refusal: 'no-rule' })
      }
    })
  })

  describe('to a runner with the TCP of a kernel', () => {
    let kernel: KernelInterface
    beforeAll(async () => {
      kernel = await startKernelPeer(network, network.near, {
        privateKey: runner.privateKey,
        addresses: ['10.7.0.2/24', 'fd07::2/64'],
        peers: [web, db].map(({ keys, inside, outside }) => ({
          publicKey: keys.publicKey,
          allowedIps: [`${inside[4]}/32`, `${inside[6]}/128`],
          endpoint: `${outside}:51820`,
        })),
      })
    })
    afterAll(() => kernel?.stop())

    it('the gateways say at once that it is prohibited, and let 22 in', async () => {
      // A blocking connect: nc asks for the error of one that is under way, and sometimes finds that it was taken already.
      const dial = (host: string, port: number) =>
        network.near.run('bash', ['-c', 'exec 3<>"/dev/tcp/$0/$1" && cat <&3', host, String(port)])
      expect(await dial('10.7.0.1', 22)).toMatchObject({ code: 0, stdout: 'web1\n' })
      expect(await dial('fd07::1', 443)).toMatchObject({ code: 0, stdout: 'web1\n' })
      for (const [host, port, reason] of [
        ['10.7.0.1', 5432, 'No route to host'],
        ['10.7.0.3', 22, 'No route to host'],
        ['fd07::1', 5432, 'Permission denied'],
        ['fd07::3', 22, 'Permission denied'],
      ] as const) {
        const refused = await dial(host, port)
        expect(refused).toMatchObject({ code: 1, stdout: '' })
        expect(refused.stderr).toContain(reason)
      }
    })

    it('an address that is not in its AllowedIPs is dropped by WireGuard, before there is anything to judge', async () => {
      await network.near.ip('addr', 'add', '10.7.0.9/32', 'dev', kernel.device)
      const args = ['-N', '-w', '3', '-s', '10.7.0.9', '10.7.0.1', '22']
      expect(await network.near.run('nc', args)).toMatchObject({ code: 1, stdout: '' })
      expect(flowsOf(web).filter(({ client }) => client.startsWith('10.7.0.9:'))).toEqual([])
    })
  })
})
