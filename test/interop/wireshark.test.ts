// Wireshark reads our key logs and captures: MAC1, both handshake messages and every packet, through rekeys and cookies.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { serialiseKeyLog } from '../../src/core/wire/key-log.js'
import { openCapture } from '../../src/node/capture.js'
import { selectCrypto } from '../../src/node/crypto/select.js'
import { describeInterop, programFile } from '../support/interop.js'
import { createLink, farInside, type Link, type LinkOptions } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { openPair } from '../support/pair.js'
import { until } from '../support/process.js'
import { runFolder } from '../support/run-folder.js'
import { installed } from '../support/tarball.js'
import { loadVectors } from '../support/vectors.js'
import { checkCookies, faultsOf, hasTshark, readCapture } from '../support/wireshark.js'

const required = process.env.TUNLESS_REQUIRE_INTEROP === '1'

/** Sessions that are renewed each second, retries likewise. */
const timers = { rekeyAfterTime: 1000, rekeyTimeout: 1000 }

let count = 0
function files(folder: string): { keylog: string; pcap: string } {
  const name = `${process.pid}-${count++}`
  return { keylog: join(folder, `${name}.keys`), pcap: join(folder, `${name}.pcapng`) }
}

interface Vector {
  name: string
  initiator: { static: { private: string }; ephemeral: { private: string } }
  responder: { static: { public: string } }
  presharedKey: string
  initiation: { message: string }
  cookie: { source: { port: number }; message: string; initiation: string }
  response: { message: string }
  data: { from: 'initiator' | 'responder'; packet: string; message: string }[]
}

const { vectors } = loadVectors<{ vectors: Vector[] }>('wireguard-protocol')
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))

describe.skipIf(!hasTshark && !required)('Wireshark, with the vectors of the whole protocol', () => {
  it.each(vectors)('reads every message $name (W1) (W5)', async vector => {
    const { keylog, pcap } = files(runFolder())
    const secrets = {
      localStatic: bytesOf(vector.initiator.static.private),
      remoteStatic: bytesOf(vector.responder.static.public),
      localEphemeral: bytesOf(vector.initiator.ephemeral.private),
      presharedKey: bytesOf(vector.presharedKey),
    }
    writeFileSync(keylog, serialiseKeyLog(secrets), { mode: 0o600 })
    const { port } = vector.cookie.source
    const capture = openCapture({ file: pcap, layers: 'outer' }, () => {})
    capture.setPort(port)
    const memory = selectCrypto().createMemory(2048, 2048)
    const add = (message: string, outbound: boolean) => {
      memory.u8.set(bytesOf(message))
      const remote = { address: Uint8Array.of(192, 0, 2, 2), port: 51821 }
      capture.trace.datagram!(memory, 0, message.length / 2, remote, outbound)
    }
    add(vector.initiation.message, true)
    add(vector.cookie.message, false)
    add(vector.cookie.initiation, true)
    add(vector.response.message, false)
    for (const { from, message } of vector.data) add(message, from === 'initiator')
    await capture.close()

    const frames = await readCapture(pcap, keylog, port)
    expect(frames.map(frame => frame.type)).toEqual([1, 3, 1, 2, ...vector.data.map(() => 4)])
    expect(faultsOf(frames)).toEqual([])
    expect(frames.filter(frame => frame.isKeepalive)).toHaveLength(
      vector.data.filter(data => data.packet === '').length,
    )
    expect(checkCookies(frames)).toEqual({ cookies: 1, underCookie: 1, faults: [] })
  })
})

describe.skipIf(!hasTshark && !required)('Wireshark, with tunless at both ends', () => {
  it('reads three sessions and the cookie round trips before them, from either side (W1) (W6)', {
    timeout: 60_000,
  }, async () => {
    const [ofGateway, ofRunner] = [files(runFolder()), files(runFolder())]
    const presharedKey = Buffer.alloc(32, 7).toString('base64')
    // Whoever has one handshake in its queue counts as under load: every initiation costs a cookie first.
    const { gateway, runner, close } = await openPair({
      presharedKey,
      gateway: { ...ofGateway, timers, deviceLimits: { underLoadQueue: 1 } },
      runner: { ...ofRunner, timers },
    })
    let handshakes = 0
    runner.on('handshake', () => handshakes++)
    await runner.ready()
    await until(
      'three sessions',
      async () => {
        await runner.ping('web1').catch(() => {})
        return handshakes >= 3
      },
      30_000,
    )
    expect(gateway.stats().device.cookieRepliesSent).toBeGreaterThan(0)
    await close()

    for (const { keylog, pcap } of [ofGateway, ofRunner]) {
      const frames = await readCapture(pcap, keylog, gateway.port)
      expect(faultsOf(frames)).toEqual([])
      expect(frames.filter(frame => frame.type === 2).length).toBeGreaterThanOrEqual(3)
      expect(frames.filter(frame => frame.protocols.includes(':wg:ip:icmp')).length).toBeGreaterThanOrEqual(6)
      const { cookies, underCookie, faults } = checkCookies(frames)
      expect(faults).toEqual([])
      expect(cookies).toBeGreaterThan(0)
      expect(underCookie).toBeGreaterThan(0)
    }
  })
})

describeInterop('Wireshark, with wireguard-go at the other end', () => {
  let network: Network
  beforeAll(async () => {
    if (!hasTshark && required) throw new Error('the interop tests are required, but there is no tshark')
    network = await createNetwork()
  })
  afterAll(() => network?.close())
  let link: Link | undefined
  afterEach(async () => void (await link?.far.stop()))

  /** Runs the traced tunnel until it has had so many sessions; returns what it printed and where its files are. */
  async function traced(
    options: LinkOptions,
    handshakes: number,
    tunnel: Record<string, unknown> = {},
    meanwhile = async () => {},
  ) {
    link = await createLink(network, options)
    const paths = files(network.folder)
    const json = JSON.stringify({ tunnel: { ...paths, timers, ...tunnel }, ping: farInside[4], handshakes })
    const args = [programFile('traced.mjs'), await installed(), link.conf, json]
    const program = network.near.start(process.execPath, args)
    await program.prints(/open/)
    await meanwhile()
    const { stdout, stderr, code } = await program.ended(90_000)
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('private key')
    const printed = JSON.parse(stdout)
    return { ...printed, frames: await readCapture(paths.pcap, paths.keylog, printed.port), paths } as {
      handshakes: number
      answered: number
      cookiesGiven: number
      frames: Awaited<ReturnType<typeof readCapture>>
      paths: { keylog: string }
    }
  }

  it.skipIf(!hasTshark && !required).each([4, 6] as const)(
    'reads three sessions that we began, over IPv%s (W1)',
    async family => {
      const { frames, answered, paths } = await traced({ family, psk: family === 4, initiator: 'near' }, 3)
      expect(faultsOf(frames)).toEqual([])
      expect(frames.filter(frame => frame.type === 2).length).toBeGreaterThanOrEqual(3)
      expect(frames.filter(frame => frame.protocols.includes(':wg:ip:icmp')).length).toBeGreaterThanOrEqual(
        answered * 2,
      )
      expect(readFileSync(paths.keylog, 'utf8').match(/EPHEMERAL/g)!.length).toBeGreaterThanOrEqual(3)
    },
  )

  it.skipIf(!hasTshark && !required)(
    'reads the cookie that we gave, its use by wireguard-go, and the session (W5) (W6) (W7)',
    async () => {
      const limits = { deviceLimits: { underLoadQueue: 1 } }
      const { frames, cookiesGiven } = await traced({ family: 4, psk: true, initiator: 'far' }, 1, limits, async () => {
        const { device } = link!.far
        const key = (await network.far.must('wg', ['show', device, 'peers'])).trim()
        await network.far.must('wg', ['set', device, 'peer', key, 'persistent-keepalive', '1'])
      })
      expect(cookiesGiven).toBeGreaterThan(0)
      expect(faultsOf(frames)).toEqual([])
      const { cookies, underCookie, faults } = checkCookies(frames)
      expect(faults).toEqual([])
      expect(cookies).toBeGreaterThan(0)
      expect(underCookie).toBeGreaterThan(0)
    },
  )

  it.skipIf(!hasTshark && !required)(
    'reads the cookie that wireguard-go gave under a flood, and our use of it (W5) (W6)',
    async () => {
      const there = network.underlay.far[4]
      const options: LinkOptions = { family: 4, psk: false, initiator: 'near' }
      const { frames } = await traced(options, 3, {}, async () => {
        const key = (await network.far.must('wg', ['show', link!.far.device, 'public-key'])).trim()
        const flood = network.near.start(process.execPath, [programFile('flood.mjs'), there, '51820', key])
        setTimeout(() => void flood.stop('SIGKILL'), 8000)
      })
      expect(faultsOf(frames)).toEqual([])
      const { cookies, underCookie, faults } = checkCookies(frames)
      expect(faults).toEqual([])
      expect(cookies).toBeGreaterThan(0)
      expect(underCookie).toBeGreaterThan(0)
    },
  )
})
