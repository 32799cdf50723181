// The stack against the kernel's TCP behind wireguard-go, where the two meet in what only one of them decides: half-closed
// connections, closed windows, resets, segments of 536 bytes, options that the kernel does without.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeInterop, full } from '../support/interop.js'
import { createLink, farInside, type Link, nearInside } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { kernelView, startTalker, type Talk, type Talker, talk, whole } from '../support/talkers.js'

const minute = 60_000
const megabyte = 1_000_000
/** Two minutes of a closed window in `npm run soak` and the full run of all tests. */
const stall = full || process.env.TUNLESS_SOAK === '1' ? 120_000 : 10_000

describeInterop("with the kernel's TCP", () => {
  let network: Network
  let link: Link
  let near: Talker
  let far: Talker
  beforeAll(async () => {
    network = await createNetwork()
    link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
    far = await startTalker(network.far)
    near = await startTalker(network.near, link.conf)
  })
  afterAll(() => network?.close())

  /** We dial the kernel, and the kernel dials us. */
  const roles = ['we dial', 'the kernel dials'] as const
  const ends = (role: (typeof roles)[number], family: 4 | 6 = 4): Pick<Talk, 'from' | 'to' | 'address'> =>
    role === 'we dial'
      ? { from: near, to: far, address: farInside[family] }
      : { from: far, to: near, address: nearInside[family] }

  describe('a half-closed connection', () => {
    const cells = roles.flatMap(role => ([4, 6] as const).map(family => [role, family] as const))
    it.each(cells)('carries 100 MB after its FIN, each way: %s, IPv%i (S-half-close) (N6)', async (role, family) => {
      const bytes = 100 * megabyte
      const reply = await talk({ ...ends(role, family), mode: 'reply-after-fin', bytes })
      expect(reply.dialled).toEqual(whole(bytes))
      const request = await talk({ ...ends(role, family), mode: 'request-after-fin', bytes })
      expect(request.accepted).toEqual(whole(bytes))
    })
  })

  describe(`a window closed for ${stall / 1000} s`, () => {
    const bytes = 24 * megabyte
    const timeout = stall + minute

    it('by the kernel stalls us, and then everything arrives (S-zero-window)', { timeout }, async () => {
      const { dialled, accepted } = await talk({
        ...ends('we dial'),
        mode: 'acceptor-stalls',
        bytes,
        ms: stall,
        timeout,
      })
      expect(accepted).toEqual(whole(bytes))
      expect(dialled.writing).toBeGreaterThan(stall * 0.9)
    })

    it('by us stalls the kernel, and then everything arrives (S-zero-window)', { timeout }, async () => {
      const meanwhile = async () => {
        await new Promise(resolve => setTimeout(resolve, stall / 2))
        expect(await kernelView(far)).toContain('timer:(persist')
      }
      const { dialled, accepted } = await talk({
        ...ends('we dial'),
        mode: 'dialler-stalls',
        bytes,
        ms: stall,
        meanwhile,
        timeout,
      })
      expect(dialled).toEqual(whole(bytes))
      expect(accepted.writing).toBeGreaterThan(stall * 0.9)
    })
  })

  describe('a reset', () => {
    it.each(roles)('is an ECONNRESET at the other end: %s (S-rst)', async role => {
      expect((await talk({ ...ends(role), mode: 'acceptor-resets' })).dialled).toEqual({ error: 'ECONNRESET' })
      expect((await talk({ ...ends(role), mode: 'dialler-resets' })).accepted).toEqual({ error: 'ECONNRESET' })
    })
  })

  describe('a kernel', () => {
    const options = { tcp_timestamps: /\bts\b/, tcp_sack: /\bsack\b/, tcp_window_scaling: /\bwscale:/ }
    type Option = keyof typeof options
    const every = Object.keys(options) as Option[]
    const cells: [string, Option[]][] = [...every.map((one): [string, Option[]] => [one, [one]]), ['all three', every]]

    it.each(cells)('without %s is understood, whoever dials (S-plain-peer)', async (_name, without) => {
      const bytes = 16 * megabyte
      const set = (value: number) =>
        Promise.all(without.map(name => network.far.must('sysctl', ['-qw', `net.ipv4.${name}=${value}`])))
      const meanwhile = async () => {
        const view = await kernelView(far)
        for (const name of every)
          if (without.includes(name)) expect(view).not.toMatch(options[name])
          else expect(view).toMatch(options[name])
      }
      await set(0)
      try {
        for (const role of roles) {
          const up = await talk({ ...ends(role), mode: 'upload-in-halves', bytes, meanwhile })
          expect(up.accepted).toEqual(whole(bytes))
          const down = await talk({ ...ends(role), mode: 'download-in-halves', bytes, meanwhile })
          expect(down.dialled).toEqual(whole(bytes))
        }
      } finally {
        await set(1)
      }
    })
  })
})
