// The pair of configurations that `tunless init` prints: plain wg-quick loads the gateway's, ours reaches it with the runner's.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createPayload, describeInterop, download, mebibyte, startServices } from '../support/interop.js'
import { listenerOf, startUp } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { must } from '../support/process.js'
import { command } from '../support/tarball.js'

describeInterop('the pair of init', () => {
  let network: Network
  beforeAll(async () => {
    network = await createNetwork()
  })
  afterAll(() => network?.close())

  it('makes a tunnel between wg-quick and up, with the names it gives', async () => {
    const [node, ...rest] = (await command()) as [string, ...string[]]
    const pair = await must(node, [...rest, 'init', '--endpoint', `${network.underlay.far[4]}:51820`])
    const [gateway, runner] = pair.split(/^(?=# runner\.conf)/m) as [string, string]
    const conf = join(network.folder, `tl${process.pid}n99.conf`) // wg-quick names the device after the file
    writeFileSync(conf, gateway, { mode: 0o600 })
    const env = { ...process.env, WG_QUICK_USERSPACE_IMPLEMENTATION: 'wireguard-go' }
    await network.far.must('wg-quick', ['up', conf], { env })

    const payload = createPayload(network, mebibyte)
    await startServices(network.far, payload)
    const runnerConf = join(network.folder, 'runner.conf')
    writeFileSync(runnerConf, runner, { mode: 0o600 })
    const up = await startUp(network, { conf: runnerConf }, ['-D', '0'])
    const curl = ['--proxy', `socks5h://127.0.0.1:${listenerOf(up.ready, 'proxy')}`]
    await download({ from: network.near, url: 'http://gateway:8000', curl, payload })
    expect((await up.program.stop()).code).toBe(0)
    await network.far.must('wg-quick', ['down', conf], { env })
  })
})
