// Sessions that end under a transfer: with shortened timers always, with the protocol's own in `npm run soak`.
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createPayload,
  describeInterop,
  mebibyte,
  type Payload,
  programFile,
  startServices,
} from '../support/interop.js'
import { createLink, farInside, type Link, nearInside } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { installed } from '../support/tarball.js'

describeInterop('a transfer', () => {
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

  async function transfer(bytesPerSecond: number, timers: Record<string, number>) {
    const options = JSON.stringify({ bytesPerSecond, timers })
    const args = [programFile('rekey.mjs'), await installed(), link.conf, farInside[4], options]
    const output = await network.near.must(process.execPath, args, { timeout: 600_000 })
    const { rekeys, ...received } = JSON.parse(output)
    expect(received).toEqual({ length: payload.length, sha256: payload.sha256 })
    expect(rekeys).toBeGreaterThanOrEqual(3)
  }

  it('lives through three rekeys of shortened sessions (W16)', () =>
    transfer(1e6, { rekeyAfterTime: 1000, rekeyTimeout: 1000 }))

  // 120 s each, so a bit more than six minutes for three of them.
  it.runIf(process.env.TUNLESS_SOAK === '1')(
    'lives through three rekeys in real time (W16)',
    { timeout: 600_000 },
    () => transfer(payload.length / 400, {}),
  )

  it.runIf(process.env.TUNLESS_SOAK === '1')(
    'lives through three rekeys in real time that the peer begins',
    { timeout: 600_000 },
    async () => {
      await link.far.stop() // Both would have the same addresses and port.
      const dialled = await createLink(network, { family: 4, psk: true, initiator: 'far' })
      const args = [programFile('respond.mjs'), await installed(), dialled.conf, payload.file]
      const responder = network.near.start(process.execPath, args)
      await responder.prints(/listening/)
      const url = `http://${nearInside[4]}:8000/payload?rate=${payload.length / 400}`
      const command = 'curl -sS --fail "$1" | sha256sum'
      const sum = await network.far.must('bash', ['-o', 'pipefail', '-c', command, 'bash', url], { timeout: 580_000 })
      expect(sum.split(' ')[0]).toBe(payload.sha256)
      expect(responder.stdout.match(/handshake/g)?.length).toBeGreaterThanOrEqual(4)
      await responder.stop()
      await dialled.far.stop()
    },
  )
})
