// The distribution's own wg(8) on a running `tunless up --name`, and beside it on wireguard-go in the same state: what wg
// shows of both is the same, whatever it was told.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPayload, describeInterop, download, mebibyte, type Payload, startServices } from '../support/interop.js'
import { createLink, farInside, type Link, listenerOf, startUp } from '../support/link.js'
import { createNetwork, deviceName, keyPair, type Network, presharedKey, startKernelPeer } from '../support/netns.js'
import { must, type Program, run, until } from '../support/process.js'
import { command } from '../support/tarball.js'

const socketOf = (name: string) => `/var/run/wireguard/${name}.sock`

async function startTunless(network: Network, args: string[]): Promise<Program> {
  const [node, ...rest] = (await command()) as [string, ...string[]]
  return network.near.start(node, [...rest, 'up', '--timeout', '0', ...args])
}

async function show(name: string): Promise<string> {
  const [node, ...rest] = (await command()) as [string, ...string[]]
  return must(node, [...rest, 'show', name])
}

/** `wg show NAME dump` without times and bytes, each line's prefixes and the lines themselves sorted. */
async function dump(name: string): Promise<string[]> {
  const [own, ...peers] = (await must('wg', ['show', name, 'dump'])).trimEnd().split('\n')
  const lines = peers.map(line => {
    const [publicKey, psk, endpoint, allowedIps, _handshake, _rx, _tx, keepalive] = line.split('\t')
    return [publicKey, psk, endpoint, allowedIps?.split(',').sort().join(','), keepalive].join(' ')
  })
  return [own as string, ...lines.sort()]
}

async function showconf(name: string): Promise<string[]> {
  const lines = (await must('wg', ['showconf', name])).trimEnd().split('\n')
  return lines
    .map(line => line.replace(/^(AllowedIPs = )(.*)$/, (_, key, list) => key + list.split(', ').sort().join(', ')))
    .sort()
}

describeInterop('wg on tunless and on wireguard-go', () => {
  let network: Network
  let ours: string
  let theirs: string
  let up: Program
  let keys: Awaited<ReturnType<typeof keyPair>>[]
  let psk: string

  const file = (name: string, text: string) => {
    const path = join(network.folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const key = (index: number) => keys[index]?.publicKey as string
  const conf = (peers: string) => `[Interface]\nPrivateKey = ${keys[0]?.privateKey}\nListenPort = 51820\n${peers}`
  const somePeers = () => `[Peer]
PublicKey = ${key(1)}
PresharedKey = ${psk}
AllowedIPs = 10.7.1.0/24, fd07:1::/64, 10.9.0.1/32
Endpoint = 192.0.2.1:51820
PersistentKeepalive = 25
[Peer]
PublicKey = ${key(2)}
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = [2001:db8::1]:51820
[Peer]
PublicKey = ${key(3)}
`

  beforeAll(async () => {
    network = await createNetwork()
    keys = await Promise.all(Array.from({ length: 6 }, keyPair))
    psk = await presharedKey()
    ours = deviceName()
    const text = conf(somePeers())
    up = await startTunless(network, [
      '-c',
      file('ours.conf', text.replace('ListenPort', 'Address = 10.7.0.2/32\nListenPort')),
      '--name',
      ours,
    ])
    await until('the socket', () => existsSync(socketOf(ours)))
    const { device } = await startKernelPeer(network, network.far, {
      privateKey: keys[0]?.privateKey as string,
      listenPort: 51820,
      addresses: [],
      peers: [],
    })
    theirs = device
    await must('wg', ['setconf', theirs, file('theirs.conf', text)])
  })
  afterAll(() => network?.close())

  /** The same command for both. `NAME` stands for the interface. */
  async function wg(...args: string[]) {
    const results = []
    for (const name of [ours, theirs])
      results.push(
        await run(
          'wg',
          args.map(arg => (arg === 'NAME' ? name : arg)),
        ),
      )
    expect(results[0]?.stderr.replaceAll(ours, 'NAME')).toBe(results[1]?.stderr.replaceAll(theirs, 'NAME'))
    expect(results[0]?.code).toBe(results[1]?.code)
    await expectSame()
    return results[0]?.code
  }

  async function expectSame() {
    expect(await dump(ours)).toEqual(await dump(theirs))
    expect(await showconf(ours)).toEqual(await showconf(theirs))
  }

  it('show the same of the configuration that both were started with (W28)', async () => {
    await expectSame()
    expect((await dump(ours)).length).toBe(4)
  })

  it('are listed both', async () => {
    expect((await must('wg', ['show', 'interfaces'])).trim().split(' ')).toEqual(expect.arrayContaining([ours, theirs]))
  })

  it.each([
    [
      'a new peer',
      ['peer', '@4', 'allowed-ips', '10.7.4.0/24', 'endpoint', '192.0.2.4:4', 'persistent-keepalive', '5'],
    ],
    ['other AllowedIPs', ['peer', '@4', 'allowed-ips', '10.7.44.0/24,fd07:4::/64']],
    ['AllowedIPs that another has', ['peer', '@4', 'allowed-ips', '10.9.0.1/32,10.7.1.7/24']],
    ['no AllowedIPs', ['peer', '@4', 'allowed-ips', '']],
    ['another endpoint and no keepalive', ['peer', '@4', 'endpoint', '[2001:db8::4]:4', 'persistent-keepalive', 'off']],
    ['a preshared key', ['peer', '@4', 'preshared-key', '@psk']],
    ['no preshared key', ['peer', '@4', 'preshared-key', '/dev/null']],
    ['an end of it', ['peer', '@4', 'remove']],
    ['an end of a peer that is not there', ['peer', '@5', 'remove']],
    ['our own key as a peer', ['peer', '@0', 'allowed-ips', '10.66.0.0/16']],
    ['another port', ['listen-port', '51821']],
    ['no mark', ['fwmark', '0']],
    ['another private key', ['private-key', '@private4']],
    ['the key of a peer', ['private-key', '@private3']],
  ])('take `wg set`: %s (W28)', async (_what, args) => {
    const words = args.map(arg => {
      if (arg === '@psk') return file('psk', psk)
      const index = Number(arg.at(-1))
      if (arg.startsWith('@private')) return file('key', keys[index]?.privateKey as string)
      return arg.startsWith('@') ? key(index) : arg
    })
    expect(await wg('set', 'NAME', ...words)).toBe(0)
  })

  it('take `wg syncconf`, `addconf` and `setconf` (W28)', async () => {
    const peers = `${somePeers().replace('25', '15').replace('10.9.0.1/32', '10.9.0.2/32').split('[Peer]').slice(0, 3).join('[Peer]')}
[Peer]
PublicKey = ${key(4)}
AllowedIPs = 10.7.4.0/24
`
    expect(await wg('syncconf', 'NAME', file('sync.conf', conf(peers)))).toBe(0)
    expect((await dump(ours)).length).toBe(4)
    expect(
      await wg('addconf', 'NAME', file('add.conf', `[Peer]\nPublicKey = ${key(5)}\nAllowedIPs = 10.7.5.0/24\n`)),
    ).toBe(0)
    expect((await dump(ours)).length).toBe(5)
    expect(await wg('setconf', 'NAME', file('set.conf', conf(somePeers())))).toBe(0)
    expect((await dump(ours)).length).toBe(4)
    expect(await wg('setconf', 'NAME', file('none.conf', '[Interface]\nListenPort = 51820\n'))).toBe(0)
    expect(await dump(ours)).toEqual(['(none)\t(none)\t51820\toff'])
  })

  it('a configuration without ListenPort gets a free port, as there (W28)', async () => {
    for (const name of [ours, theirs]) {
      await must('wg', ['syncconf', name, file('port.conf', `[Interface]\nPrivateKey = ${keys[0]?.privateKey}\n`)])
      expect(Number(await must('wg', ['show', name, 'listen-port']))).not.toBe(51820)
    }
  })

  it('a mark is refused: Node cannot set one (W28)', async () => {
    expect(await run('wg', ['set', ours, 'fwmark', '7'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not supported'),
    })
  })

  it('`tunless show` prints what `wg show` does, of either', async () => {
    for (const name of [ours, theirs]) {
      await must('wg', ['setconf', name, file('set.conf', conf(somePeers()))])
      const theirPicture = (await must('wg', ['show', name])).split('\n').map(sortPrefixes).sort()
      expect((await show(name)).split('\n').map(sortPrefixes).sort()).toEqual(theirPicture)
      expect(theirPicture).toContain('  private key: (hidden)')
    }
  })

  it('`wg show all` has them, and the socket is gone with the tunnel', async () => {
    expect(await must('wg', ['show', 'all', 'listen-port'])).toContain(ours)
    await up.stop()
    expect(existsSync(socketOf(ours))).toBe(false)
    expect((await run('wg', ['show', ours])).code).toBe(1)
  })

  it('an interface that began without any [Peer] takes `wg addconf` (W28)', async () => {
    const name = deviceName()
    const own = `[Interface]\nPrivateKey = ${keys[1]?.privateKey}\nAddress = 10.7.0.3/32\n`
    const empty = await startTunless(network, ['-c', file('empty.conf', own), '--name', name])
    await until('an answer', async () => (await run('wg', ['show', name])).code === 0)
    const peer = `[Peer]\nPublicKey = ${key(4)}\nAllowedIPs = 10.7.4.0/24\nEndpoint = 192.0.2.4:4\n`
    await must('wg', ['addconf', name, file('peer.conf', peer)])
    expect((await dump(name)).slice(1)).toEqual([`${key(4)} (none) 192.0.2.4:4 10.7.4.0/24 off`])
    await must('rm', [socketOf(name)])
    expect(await empty.ended()).toMatchObject({ code: 0, stderr: expect.stringContaining('was removed') })
  })

  it('a socket that a killed tunnel left is replaced; its removal takes the tunnel down (W28)', async () => {
    const conf = file(
      'ours.conf',
      `[Interface]\nPrivateKey = ${keys[0]?.privateKey}\nAddress = 10.7.0.2/32\n[Peer]\nPublicKey = ${key(1)}\n`,
    )
    const name = deviceName()
    const killed = await startTunless(network, ['-c', conf, '--name', name])
    await until('the socket', () => existsSync(socketOf(name)))
    await killed.stop('SIGKILL')
    expect(existsSync(socketOf(name))).toBe(true)
    const next = await startTunless(network, ['-c', conf, '--name', name])
    await until('an answer', async () => (await run('wg', ['show', name])).code === 0)
    await must('rm', [socketOf(name)])
    expect(await next.ended()).toMatchObject({ code: 0, stderr: expect.stringContaining('was removed') })
  })
})

function sortPrefixes(line: string): string {
  return line.replace(/^( {2}allowed ips: )(.*)$/, (_, key, list) => key + list.split(', ').sort().join(', '))
}

describeInterop('a running tunnel', () => {
  let network: Network
  let link: Link
  let payload: Payload
  let name: string
  let url: string

  beforeAll(async () => {
    network = await createNetwork()
    payload = createPayload(network, 8 * mebibyte)
    link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
    await startServices(network.far, payload)
    name = deviceName()
    const up = await startUp(network, link, ['--name', name, '-L', `0:${farInside[4]}:8000`])
    url = `http://127.0.0.1:${listenerOf(up.ready, 'forward')}`
  })
  afterAll(() => network?.close())

  /** A download at the pace of its server, four seconds long, and what is done to the link meanwhile. */
  async function duringDownload(change: (step: number) => Promise<unknown>) {
    const command = 'curl -sS --fail "$1" | sha256sum'
    const args = ['-o', 'pipefail', '-c', command, 'bash', `${url}/payload?rate=${payload.length / 4}`]
    const transfer = network.near.must('bash', args, { timeout: 60_000 })
    transfer.catch(() => {})
    for (let step = 0; step < 3; step++) {
      await new Promise(resolve => setTimeout(resolve, 700))
      await change(step)
    }
    expect((await transfer).split(' ')[0]).toBe(payload.sha256)
  }

  const portOf = async (device: string) => Number(await must('wg', ['show', device, 'listen-port']))
  const endpointPort = async (device: string) =>
    Number((await must('wg', ['show', device, 'endpoints'])).split(':').at(-1))

  it('rx and tx are what the other side counts as tx and rx, and the last handshake is shown (W28)', async () => {
    await download({ from: network.near, url, payload })
    const transfers = async (device: string) =>
      (await must('wg', ['show', device, 'transfer'])).trim().split('\t').slice(1).map(Number)
    await until('both to be quiet', async () => {
      const [rx, tx] = await transfers(name)
      const [farRx, farTx] = await transfers(link.far.device)
      return rx === farTx && tx === farRx
    })
    const time = async (device: string) =>
      Number((await must('wg', ['show', device, 'latest-handshakes'])).split('\t')[1])
    expect(Math.abs((await time(name)) - (await time(link.far.device)))).toBeLessThanOrEqual(1)
  })

  it('is not disturbed by peers that come, change and go', () =>
    duringDownload(async step => {
      const { publicKey } = await keyPair()
      await must('wg', ['set', name, 'peer', publicKey, 'allowed-ips', `10.66.${step}.0/24`, 'endpoint', '192.0.2.9:9'])
      await must('wg', ['set', name, 'peer', publicKey, 'persistent-keepalive', '1'])
      await must('wg', ['set', name, 'peer', publicKey, 'remove'])
    }))

  it('keeps a download when its own port changes in the middle: the peer roams (W24) (W28)', async () => {
    await duringDownload(async () => {
      const before = await portOf(name)
      await must('wg', ['set', name, 'listen-port', '0'])
      expect(await portOf(name)).not.toBe(before)
    })
    expect(await endpointPort(link.far.device)).toBe(await portOf(name))
  })

  it("keeps a download when the peer's port changes in the middle: it roams (W24)", async () => {
    await duringDownload(step => must('wg', ['set', link.far.device, 'listen-port', String(51_830 + step)]))
    expect(await endpointPort(name)).toBe(51_832)
    await must('wg', ['set', link.far.device, 'listen-port', '51820'])
    await must('wg', [
      'set',
      name,
      'peer',
      (await must('wg', ['show', name, 'peers'])).trim(),
      'endpoint',
      `${network.underlay.far[4]}:51820`,
    ])
  })

  it('keeps a download when the local address changes in the middle (W24)', async () => {
    let address = network.underlay.near[4]
    await duringDownload(async step => {
      const next = `10.99.0.${20 + step}`
      await network.near.ip('addr', 'del', `${address}/24`, 'dev', 'wire0')
      await network.near.ip('addr', 'add', `${next}/24`, 'dev', 'wire0')
      address = next
    })
    expect(await must('wg', ['show', link.far.device, 'endpoints'])).toContain(`\t${address}:`)
  })

  it('keeps a download when its private key changes in the middle (W26)', async () => {
    const former = (await must('wg', ['show', name, 'public-key'])).trim()
    const next = await keyPair()
    const keyFile = join(network.folder, 'next.key')
    writeFileSync(keyFile, next.privateKey, { mode: 0o600 })
    const psk = join(network.folder, 'next.psk')
    writeFileSync(psk, (await must('wg', ['show', link.far.device, 'preshared-keys'])).split('\t')[1] as string, {
      mode: 0o600,
    })
    await duringDownload(async step => {
      if (step > 0) return
      await must('wg', [
        'set',
        link.far.device,
        'peer',
        next.publicKey,
        'preshared-key',
        psk,
        'allowed-ips',
        '10.7.0.2/32,fd07::2/128',
      ])
      await must('wg', ['set', name, 'private-key', keyFile])
      await must('wg', ['set', link.far.device, 'peer', former, 'remove'])
    })
    expect((await must('wg', ['show', name, 'public-key'])).trim()).toBe(next.publicKey)
  })
})

describeInterop('an endpoint given by name', () => {
  let network: Network
  let link: Link
  beforeAll(async () => {
    network = await createNetwork()
    await must('mkdir', ['-p', `/etc/netns/${network.near.name}`])
    link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
    await startServices(network.far, createPayload(network, 1024))
  })
  afterAll(async () => {
    if (network === undefined) return
    await network.close()
    await must('rm', ['-r', `/etc/netns/${network.near.name}`])
  })

  /** What the near host finds under `far.test`. Written in place: a running process has the file mounted. */
  const hosts = (...addresses: string[]) =>
    writeFileSync(
      `/etc/netns/${network.near.name}/hosts`,
      `127.0.0.1 localhost\n${addresses.map(one => `${one} far.test\n`).join('')}`,
    )

  function named(): Link {
    const conf = join(network.folder, 'named.conf')
    return { ...link, conf: writeNamed(conf, link.conf) }
  }

  describe('whose first address is dead', () => {
    it('stands by the address of the other family (W27)', async () => {
      hosts('fd99::77', network.underlay.far[4])
      const up = await startUp(network, named(), ['-L', `0:${farInside[4]}:8000`])
      expect(up.program.stderr).toContain(`at ${network.underlay.far[4]}:51820`)
      await up.program.stop()
    })

    it('is asked for again while nobody has ever answered', async () => {
      hosts('10.99.0.77')
      const [node, ...rest] = (await command()) as [string, ...string[]]
      const program = network.near.start(node, [...rest, 'up', '-c', named().conf, '-L', `0:${farInside[4]}:8000`])
      await program.prints(/leads to|^$/m).catch(() => {})
      await new Promise(resolve => setTimeout(resolve, 1000))
      hosts(network.underlay.far[4])
      await program.prints(/the tunnel stands/, 15_000)
      await program.stop()
    })
  })

  // The last handshake has to be 135 s old.
  it.runIf(process.env.TUNLESS_SOAK === '1')(
    'that changes its address is followed (W27)',
    { timeout: 400_000 },
    async () => {
      hosts(network.underlay.far[4])
      const up = await startUp(network, named(), ['-L', `0:${farInside[4]}:8000`])
      const url = `http://127.0.0.1:${listenerOf(up.ready, 'forward')}/hello`
      const hello = async () => (await network.near.run('curl', ['-sS', '--max-time', '5', url])).stdout === 'hello\n'
      expect(await hello()).toBe(true)
      await network.far.ip('addr', 'del', `${network.underlay.far[4]}/24`, 'dev', 'wire0')
      await network.far.ip('addr', 'add', '10.99.0.3/24', 'dev', 'wire0')
      await link.restart()
      hosts('10.99.0.3')
      const since = performance.now()
      await until('an answer from the new address', hello, 200_000)
      expect(performance.now() - since).toBeLessThan(160_000)
      await up.program.stop()
    },
  )
})

function writeNamed(path: string, conf: string): string {
  const text = readFileSync(conf, 'utf8').replace(/^Endpoint = .*$/m, 'Endpoint = far.test:51820')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

describeInterop('a peer that is restarted', () => {
  it('is reached within 21 s of its return (W18)', async () => {
    const network = await createNetwork()
    try {
      const link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
      await startServices(network.far, createPayload(network, 1024))
      const up = await startUp(network, link, ['-L', `0:${farInside[4]}:8000`])
      const url = `http://127.0.0.1:${listenerOf(up.ready, 'forward')}/hello`
      expect(await network.near.must('curl', ['-sS', url])).toBe('hello\n')
      await link.restart()
      const since = performance.now()
      expect(await network.near.must('curl', ['-sS', '--max-time', '30', url])).toBe('hello\n')
      expect(performance.now() - since).toBeLessThan(21_000)
      await up.program.stop()
    } finally {
      await network.close()
    }
  })
})
