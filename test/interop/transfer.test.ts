// The packed tarball against wireguard-go and the kernel's TCP: each family outside and inside, with and without a
// preshared key, in either role.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createPayload,
  describeInterop,
  download,
  exchange,
  full,
  mebibyte,
  type Payload,
  programFile,
  startServices,
  upload,
} from '../support/interop.js'
import { createLink, farInside, listenerOf, nearInside, startUp } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { installed } from '../support/tarball.js'

interface Cell {
  initiator: 'near' | 'far'
  outside: 4 | 6
  inside: 4 | 6
  psk: boolean
}

const families = [4, 6] as const
const everyCell = (['near', 'far'] as const).flatMap(initiator =>
  families.flatMap(outside =>
    families.flatMap(inside => [true, false].map((psk): Cell => ({ initiator, outside, inside, psk }))),
  ),
)
// Four of the sixteen: each role meets each value of each of the other three.
const someCells: Cell[] = [
  { initiator: 'near', outside: 4, inside: 4, psk: true },
  { initiator: 'near', outside: 6, inside: 6, psk: false },
  { initiator: 'far', outside: 4, inside: 6, psk: true },
  { initiator: 'far', outside: 6, inside: 4, psk: false },
]

describeInterop('a transfer', () => {
  let network: Network
  let payload: Payload
  beforeAll(async () => {
    network = await createNetwork()
    payload = createPayload(network, 64 * mebibyte)
  })
  afterAll(() => network?.close())

  const cells = full ? everyCell : someCells
  const title = 'over IPv$outside, inside IPv$inside, preshared key $psk'

  describe('to a kernel, when we initiate', () => {
    it.each(cells.filter(cell => cell.initiator === 'near'))(title, async ({ outside, inside, psk }) => {
      const link = await createLink(network, { family: outside, psk, initiator: 'near' })
      const services = await startServices(network.far, payload)
      const up = await startUp(network, link, ['-D', '0'])
      const host = inside === 6 ? `[${farInside[6]}]` : farInside[4]
      const curl = ['--proxy', `socks5h://127.0.0.1:${listenerOf(up.ready, 'proxy')}`]
      const transfer = { from: network.near, url: `http://${host}:8000`, curl, payload }
      await download(transfer)
      await upload(transfer)
      await exchange(transfer)
      expect((await up.program.stop()).code).toBe(0)
      await services.stop()
      await link.far.stop()
    })
  })

  describe('from a kernel, when we respond', () => {
    it.each(cells.filter(cell => cell.initiator === 'far'))(title, async ({ outside, inside, psk }) => {
      const link = await createLink(network, { family: outside, psk, initiator: 'far' })
      const args = [programFile('respond.mjs'), await installed(), link.conf, payload.file]
      const responder = network.near.start(process.execPath, args)
      await responder.prints(/listening/)
      const host = inside === 6 ? `[${nearInside[6]}]` : nearInside[4]
      const transfer = { from: network.far, url: `http://${host}:8000`, payload }
      await download(transfer)
      await upload(transfer)
      await exchange(transfer)
      expect((await responder.stop()).code).toBe(0)
      await link.far.stop()
    })
  })

  it.runIf(full)('of 1 GiB each way', { timeout: 900_000 }, async () => {
    const link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
    await startServices(network.far, payload)
    const up = await startUp(network, link, ['-L', `0:${farInside[4]}:8000`])
    const url = `http://127.0.0.1:${listenerOf(up.ready, 'forward')}`
    const transfer = { from: network.near, url, payload, times: 16, timeout: 400_000 }
    await download(transfer)
    await upload(transfer)
    expect((await up.program.stop()).code).toBe(0)
  })
})
