// What users of other clients report as broken: many dials at once, half-closed requests, several commands on one
// conf, a peer that restarts.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createPayload,
  describeInterop,
  mebibyte,
  type Payload,
  programFile,
  startServices,
} from '../support/interop.js'
import { createLink, farInside, type Link, listenerOf, startUp } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { type Program, until } from '../support/process.js'
import { command } from '../support/tarball.js'

describeInterop('with a kernel peer', () => {
  let network: Network
  let link: Link
  let payload: Payload
  beforeAll(async () => {
    network = await createNetwork()
    payload = createPayload(network, 8 * mebibyte)
    link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
    await startServices(network.far, payload)
  })
  afterAll(() => network?.close())

  it('300 connections stand at once', async () => {
    const up = await startUp(network, link, ['-D', '0'])
    const args = [programFile('many.mjs'), '300', String(listenerOf(up.ready, 'proxy')), farInside[4]]
    expect(await network.near.must(process.execPath, args)).toBe('300\n')
    await up.program.stop()
  })

  it('a half-closed request through the proxy gets its whole answer', async () => {
    const up = await startUp(network, link, ['-D', '0'])
    const proxy = `127.0.0.1:${listenerOf(up.ready, 'proxy')}`
    const script =
      'printf "a request that ends" | nc -N -X 5 -x "$1" "$2" 8001 | { read -r line; echo "$line"; sha256sum; }'
    const output = await network.near.must('bash', ['-c', script, 'bash', proxy, farInside[4]])
    const [line, sum] = output.split('\n') as [string, string]
    expect(JSON.parse(line).length).toBe('a request that ends'.length)
    expect(sum.split(' ')[0]).toBe(payload.sha256)
    await up.program.stop()
  })

  it('three nc side by side share one tunnel, and outlive the first', async () => {
    const runtime = join(network.folder, 'runtime')
    await network.near.must('mkdir', ['-m', '700', runtime])
    const env = { ...process.env, XDG_RUNTIME_DIR: runtime }
    const [node, ...rest] = (await command()) as [string, ...string[]]
    const nc = () => network.near.start(node, [...rest, 'nc', '-c', link.conf, farInside[4], '8002'], { env })
    const first = nc()
    await echoes(first, 'first')
    const others = [nc(), nc()] as const
    await Promise.all(others.map((one, i) => echoes(one, `other ${i}`)))

    first.child.stdin?.end()
    await new Promise(resolve => first.child.stdout?.once('end', resolve))
    await Promise.all(others.map((one, i) => echoes(one, `still here ${i}`)))

    for (const one of others) one.child.stdin?.end()
    const results = await Promise.all([first, ...others].map(one => one.ended()))
    expect(results.map(result => result.code)).toEqual([0, 0, 0])
    expect(existsSync(join(runtime, 'tunless')) ? readdirSync(join(runtime, 'tunless')) : []).toEqual([])
  })

  it('a new connection works after the peer was restarted', async () => {
    const up = await startUp(network, link, ['-L', `0:${farInside[4]}:8000`])
    const url = `http://127.0.0.1:${listenerOf(up.ready, 'forward')}/hello`
    const hello = async () => (await network.near.run('curl', ['-sS', '--max-time', '5', url])).stdout === 'hello\n'
    expect(await hello()).toBe(true)
    await link.restart()
    await until('an answer after the restart', hello, 60_000)
    expect(up.program.child.exitCode).toBeNull()
    await up.program.stop()
  })
})

async function echoes(nc: Program, text: string): Promise<void> {
  nc.child.stdin?.write(`${text}\n`)
  await nc.prints(new RegExp(`^${text}$`, 'm'))
}
