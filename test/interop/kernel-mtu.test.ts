// Segment sizes with the kernel's TCP: 536 bytes because one side says so, and a path that gets narrower under a transfer, with
// a router that says so and with one that does not.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Behind, createBehind } from '../support/behind.js'
import { describeInterop } from '../support/interop.js'
import { createLink, farInside, type Link, nearInside } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { kernelView, startTalker, type Talker, talk, whole } from '../support/talkers.js'

const bytes = 16_000_000

/** A copy of the tunnel's conf with other lines in it. */
function changedConf(network: Network, link: Link, name: string, change: (text: string) => string): string {
  const file = join(network.folder, name)
  writeFileSync(file, change(readFileSync(link.conf, 'utf8')), { mode: 0o600 })
  return file
}

describeInterop("with the kernel's TCP", () => {
  let network: Network
  let link: Link
  beforeAll(async () => {
    network = await createNetwork()
    link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
  })
  afterAll(() => network?.close())

  it('segments of 536 bytes carry everything, each way, whoever dials (S-mss) (N7)', async () => {
    const conf = changedConf(network, link, 'small.conf', text =>
      text.replace(/^Address.*$/m, `Address = ${nearInside[4]}/32\nMTU = 576`).replace(', fd07::/64', ''),
    )
    const { device } = link.far
    await network.far.ip('route', 'replace', `${nearInside[4]}/32`, 'dev', device, 'advmss', '536')
    const far = await startTalker(network.far)
    const near = await startTalker(network.near, conf)
    const bytes = 4_000_000
    const small = async () => expect(await kernelView(far)).toMatch(/\bmss:5(24|36)\b.*\badvmss:5(24|36)\b/)
    for (const ends of [
      { from: near, to: far, address: farInside[4], meanwhile: small },
      { from: far, to: near, address: nearInside[4], meanwhile: small },
    ]) {
      expect((await talk({ ...ends, mode: 'upload-in-halves', bytes })).accepted).toEqual(whole(bytes))
      expect((await talk({ ...ends, mode: 'download-in-halves', bytes })).dialled).toEqual(whole(bytes))
    }
    await near.program.stop()
    await far.program.stop()
    await network.far.ip('route', 'del', `${nearInside[4]}/32`, 'dev', device)
  })

  describe('a path that gets narrower in mid-transfer', () => {
    let behind: Behind
    let deep: Talker
    let conf: string
    beforeAll(async () => {
      behind = await createBehind(network, nearInside)
      deep = await startTalker(behind.host)
      conf = changedConf(network, link, 'behind.conf', text =>
        text.replace(/^(AllowedIPs = .*)$/m, `$1, ${behind.prefixes}`),
      )
    })
    afterAll(() => behind?.close())

    /** The largest segment that the kernel has received on its one connection. */
    async function largestReceived(): Promise<number> {
      return Number(/\brcvmss:(\d+)/.exec(await kernelView(deep))?.[1])
    }

    const cells = [
      [4, 'says so', false],
      [6, 'says so', false],
      [4, 'says nothing', true],
      [6, 'says nothing', true],
    ] as const
    it.each(cells)(
      'still carries an upload, and a download after it: IPv%i, the router %s (N8) (S-packet-too-big) (S-black-hole)',
      async (family, _word, silent) => {
        // A tunnel of its own: what one has learnt of a path it keeps.
        const near = await startTalker(network.near, conf)
        const ends = { from: near, to: deep, address: behind.address[family] }
        const narrow = async () => {
          expect(await largestReceived()).toBeGreaterThan(1300)
          await behind.setMtu(1300)
        }
        const stillNarrow = async () => expect(await largestReceived()).toBeLessThan(1300)
        if (silent) await behind.setSilent(true)
        try {
          const up = await talk({ ...ends, mode: 'upload-in-halves', bytes, meanwhile: narrow })
          expect(up.accepted).toEqual(whole(bytes))
          const again = await talk({ ...ends, mode: 'upload-in-halves', bytes, meanwhile: stillNarrow })
          expect(again.accepted).toEqual(whole(bytes))
          // The kernel does not look for black holes by itself: it knows of this one by the MSS of our SYN.
          await network.far.ip('link', 'set', link.far.device, 'mtu', '1300')
          expect((await talk({ ...ends, mode: 'download-in-halves', bytes })).dialled).toEqual(whole(bytes))
        } finally {
          await near.program.stop()
          if (silent) await behind.setSilent(false)
          await behind.setMtu(1500)
          await network.far.ip('link', 'set', link.far.device, 'mtu', '1420')
        }
      },
    )

    it.each([4, 6] as const)('still carries a download: IPv%i, the router says so (S-packet-too-big)', async family => {
      const { device } = link.far
      const near = await startTalker(network.near, conf)
      const narrow = async () => void (await network.far.ip('link', 'set', device, 'mtu', '1300'))
      try {
        const ends = { from: near, to: deep, address: behind.address[family] }
        const down = await talk({ ...ends, mode: 'download-in-halves', bytes, meanwhile: narrow })
        expect(down.dialled).toEqual(whole(bytes))
      } finally {
        await near.program.stop()
        await network.far.ip('link', 'set', device, 'mtu', '1420')
      }
    })
  })
})
