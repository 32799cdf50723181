// keylog and pcap of a tunnel: private files, complete when the tunnel is closed, and in time.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeKey } from '../../../src/core/base/base64.js'
import { createPacketMemory } from '../../../src/core/base/packet-memory.js'
import { createIpHeader, parseIp } from '../../../src/core/wire/ip.js'
import { parseKeyLog } from '../../../src/core/wire/key-log.js'
import { type CapturedPacket, parseCapture } from '../../../src/core/wire/pcapng.js'
import { createUdpHeader, parseUdp } from '../../../src/core/wire/udp.js'
import { openCapture } from '../../../src/node/capture.js'
import { openTracing } from '../../../src/node/trace.js'
import { openPair } from '../../support/pair.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunless-trace-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** The UDP payload of a captured datagram, its headers checked. */
function payloadOf(packet: CapturedPacket): { payload: Uint8Array; sourcePort: number; destinationPort: number } {
  const memory = createPacketMemory(new ArrayBuffer(65_536), 65_536)
  memory.u8.set(packet.bytes)
  const ip = createIpHeader()
  expect(parseIp(memory, 0, packet.bytes.length, ip)).toBeUndefined()
  const udp = createUdpHeader()
  expect(parseUdp(memory, ip, udp)).toBeUndefined()
  const { sourcePort, destinationPort } = udp
  return { payload: memory.u8.slice(udp.payload, udp.payload + udp.payloadLength), sourcePort, destinationPort }
}

describe.each([{ v6: false }, { v6: true }])('a tunnel with keylog and pcap, IPv6 $v6', ({ v6 }) => {
  it('has every handshake in the one, every datagram and packet in the other', async () => {
    const keylog = join(folder, 'keys')
    const file = join(folder, 'all.pcapng')
    const before = Date.now()
    const { gateway, runner, close } = await openPair({ v6, runner: { keylog, pcap: file } })
    const warnings: string[] = []
    runner.on('warning', message => warnings.push(message))
    const logged: boolean[] = []
    gateway.on('handshake', () => logged.push(readFileSync(keylog, 'utf8') !== ''))
    await runner.ready()
    await runner.ping('web1')
    await close()

    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/private key .* can read all .* delete it/)
    expect(statSync(keylog).mode & 0o777).toBe(0o600)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const handshakes = parseKeyLog(readFileSync(keylog, 'utf8'))!
    expect(handshakes).toHaveLength(1)
    expect(encodeKey(handshakes[0]!.remoteStatic)).toBe(gateway.publicKey)

    const packets = parseCapture(readFileSync(file))!
    for (const { time } of packets) expect(time / 1000).toBeGreaterThan(before - 50)
    const outer = packets.filter(packet => packet.interface === 0)
    const inner = packets.filter(packet => packet.interface === 1)
    const types = outer.map(packet => `${packet.outbound ? 'out' : 'in'} ${payloadOf(packet).payload[0]}`)
    expect(types.slice(0, 3)).toEqual(['out 1', 'in 2', 'out 4'])
    expect(payloadOf(outer[0]!)).toMatchObject({ sourcePort: runner.port, destinationPort: gateway.port })
    expect(payloadOf(outer[1]!)).toMatchObject({ sourcePort: gateway.port, destinationPort: runner.port })
    expect(inner.map(packet => packet.outbound)).toEqual([true, false])
  })
})

describe('the files', () => {
  it('are refused where others can read them, or where they cannot be', async () => {
    for (const option of ['keylog', 'pcap']) {
      const file = join(folder, option)
      writeFileSync(file, 'kept')
      chmodSync(file, 0o640)
      const opened = openPair({ runner: { [option]: file } })
      await expect(opened).rejects.toMatchObject({ code: 'TRACE_FILE_REFUSED', message: /mode 640.*chmod 600/ })
      expect(readFileSync(file, 'utf8')).toBe('kept')
      const nowhere = openPair({ runner: { [option]: join(folder, 'no', 'file') } })
      await expect(nowhere).rejects.toMatchObject({ code: 'TRACE_FILE_REFUSED' })
    }
  })

  it('do not exist unless asked for, and neither does a trace', () => {
    expect(openTracing({}, () => {})).toBeUndefined()
    expect(existsSync(join(folder, 'keys'))).toBe(false)
  })

  it('are added to, when key logs, and begun anew, when captures', async () => {
    const [keylog, pcap] = [join(folder, 'keys'), join(folder, 'pcap')]
    for (let i = 0; i < 2; i++) {
      const tracing = openTracing({ keylog, pcap: { file: pcap, layers: 'inner' } }, () => {})!
      const key = new Uint8Array(32).fill(i)
      tracing.trace.handshake!({ localStatic: key, remoteStatic: key, localEphemeral: key, presharedKey: key })
      expect(parseKeyLog(readFileSync(keylog, 'utf8'))).toHaveLength(i + 1)
      const memory = createPacketMemory(new ArrayBuffer(64), 64)
      for (let n = i; n < 2; n++) tracing.trace.packet!(memory, 0, 20, true)
      expect(tracing.trace.datagram).toBeUndefined()
      await tracing.close()
      expect(parseCapture(readFileSync(pcap))).toHaveLength(2 - i)
    }
  })

  it('lose packets of a capture, and say so once, when they are written too slowly', async () => {
    const file = join(folder, 'pcap')
    const warnings: string[] = []
    const capture = openCapture({ file, layers: 'inner', limit: 10_000 }, message => warnings.push(message))
    const memory = createPacketMemory(new ArrayBuffer(2048), 2048)
    for (let i = 0; i < 100; i++) capture.trace.packet!(memory, 0, 1000, false)
    await capture.close()
    expect(warnings).toEqual([expect.stringContaining('is not complete')])
    expect(parseCapture(readFileSync(file))).toHaveLength(9)
  })
})
