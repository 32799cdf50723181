import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseKeyLog, serialiseKeyLog } from '../../../../src/core/wire/key-log.js'
import { parseCapture, serialiseCapturedPacket, serialiseCaptureHeader } from '../../../../src/core/wire/pcapng.js'

describe('pcapng', () => {
  it('has a section and an interface of bare IP packets for each layer, to the letter of the draft', () => {
    const header = Buffer.from(serialiseCaptureHeader('tunless', ['outer', 'inner'])).toString('hex')
    const section = '0a0d0d0a 2c000000 4d3c2b1a 01000000 ffffffffffffffff 0400 0700 74756e6c65737300 00000000 2c000000'
    const outer = '01000000 24000000 6500 0000 00000000 0200 0500 6f75746572000000 00000000 24000000'
    const inner = '01000000 24000000 6500 0000 00000000 0200 0500 696e6e6572000000 00000000 24000000'
    expect(header).toBe(`${section}${outer}${inner}`.replaceAll(' ', ''))
  })

  it('keeps time in microseconds, direction and bytes of each packet', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            interface: fc.nat(1),
            time: fc.integer({ min: 0, max: 2 ** 52 }),
            outbound: fc.boolean(),
            bytes: fc.uint8Array({ maxLength: 70 }),
          }),
          { maxLength: 10 },
        ),
        packets => {
          const file = Buffer.concat([serialiseCaptureHeader('x', ['a', 'b']), ...packets.map(serialiseCapturedPacket)])
          expect(parseCapture(file)).toEqual(packets)
          expect(parseCapture(file.subarray(0, file.length - 1))).toEqual(packets.slice(0, -1))
        },
      ),
    )
  })

  it('is not seen in other bytes, whatever they are', () => {
    expect(parseCapture(new Uint8Array(0))).toBeUndefined()
    expect(parseCapture(new Uint8Array(100))).toBeUndefined()
    const header = serialiseCaptureHeader('x', ['a'])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), rest => {
        parseCapture(Buffer.concat([header, rest]))
      }),
    )
  })
})

describe('the key log', () => {
  const key = (byte: number) => new Uint8Array(32).fill(byte)
  const secrets = { localStatic: key(1), remoteStatic: key(2), localEphemeral: key(3), presharedKey: key(0) }

  it("is Wireshark's four lines a handshake", () => {
    expect(serialiseKeyLog(secrets)).toBe(
      `LOCAL_STATIC_PRIVATE_KEY = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
REMOTE_STATIC_PUBLIC_KEY = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
LOCAL_EPHEMERAL_PRIVATE_KEY = AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=
PRESHARED_KEY = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
`,
    )
  })

  it('is read back, and nothing else is taken for one', () => {
    const text = serialiseKeyLog(secrets)
    expect(parseKeyLog(text + text)).toEqual([secrets, secrets])
    expect(parseKeyLog('')).toEqual([])
    const lines = text.split('\n')
    expect(parseKeyLog(lines.slice(1).join('\n'))).toBeUndefined()
    expect(parseKeyLog([lines[1], lines[0], lines[2], lines[3]].join('\n'))).toBeUndefined()
    expect(parseKeyLog(text.replace('AQEB', 'AQE'))).toBeUndefined()
  })
})
