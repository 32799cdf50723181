import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  dataCounterHi,
  dataCounterLo,
  messageTypeAt,
  notAMessage,
  parseCookieReply,
  parseInitiation,
  parseResponse,
  receiverAt,
  senderOf,
  serialiseCookieReply,
  serialiseInitiation,
  serialiseResponse,
  writeDataHeader,
} from '../../../../src/core/wire/wireguard.js'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

describe('the type of a message', () => {
  it('needs exactly the size of its type, whatever the length and whatever the type (W2)', () => {
    const memory = new Uint8Array(65536)
    const view = new DataView(memory.buffer)
    for (let type = 0; type < 256; type++) {
      memory[0] = type
      for (const length of [0, 1, 4, 31, 32, 33, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1500, 65535]) {
        const isMessage =
          (type === 1 && length === 148) ||
          (type === 2 && length === 92) ||
          (type === 3 && length === 64) ||
          (type === 4 && length >= 32)
        expect(messageTypeAt(view, 0, length)).toBe(isMessage ? type : notAMessage)
      }
    }
  })

  it('is a little-endian u32: a reserved byte that is not zero makes it another (W2)', () => {
    const memory = new Uint8Array(160)
    const view = new DataView(memory.buffer)
    for (const [type, length] of [
      [1, 148],
      [2, 92],
      [3, 64],
      [4, 32],
    ] as const) {
      for (let reserved = 1; reserved < 4; reserved++) {
        memory.fill(0)
        memory[5] = type
        memory[5 + reserved] = 1
        expect(messageTypeAt(view, 5, length)).toBe(notAMessage)
        memory[5 + reserved] = 0
        expect(messageTypeAt(view, 5, length)).toBe(type)
      }
    }
  })
})

describe('handshake messages', () => {
  it('come back as they went: initiation', () => {
    fc.assert(
      fc.property(u32, bytes(32), bytes(48), bytes(28), (sender, ephemeral, encryptedStatic, encryptedTimestamp) => {
        const message = { sender, ephemeral, encryptedStatic, encryptedTimestamp }
        const serialised = serialiseInitiation(message)
        expect(serialised).toHaveLength(148)
        expect(parseInitiation(serialised)).toEqual(message)
        expect(senderOf(serialised)).toBe(sender)
        expect(serialised.subarray(116)).toEqual(new Uint8Array(32))
      }),
    )
  })

  it('come back as they went: response', () => {
    fc.assert(
      fc.property(u32, u32, bytes(32), bytes(16), (sender, receiver, ephemeral, encryptedNothing) => {
        const message = { sender, receiver, ephemeral, encryptedNothing }
        const serialised = serialiseResponse(message)
        expect(serialised).toHaveLength(92)
        expect(parseResponse(serialised)).toEqual(message)
        expect(receiverAt(new DataView(serialised.buffer), 0, 2)).toBe(receiver)
        expect(serialised.subarray(60)).toEqual(new Uint8Array(32))
      }),
    )
  })

  it('come back as they went: cookie reply', () => {
    fc.assert(
      fc.property(u32, bytes(24), bytes(32), (receiver, nonce, encryptedCookie) => {
        const message = { receiver, nonce, encryptedCookie }
        const serialised = serialiseCookieReply(message)
        expect(serialised).toHaveLength(64)
        expect(parseCookieReply(serialised)).toEqual(message)
        expect(receiverAt(new DataView(serialised.buffer), 0, 3)).toBe(receiver)
      }),
    )
  })

  it('are not read from anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), garbage => {
        garbage[0] = 9
        expect(parseInitiation(garbage) ?? parseResponse(garbage) ?? parseCookieReply(garbage)).toBeUndefined()
      }),
    )
    expect(
      parseInitiation(serialiseResponse(parseResponse(Uint8Array.from({ length: 92 }, (_, i) => (i === 0 ? 2 : 0)))!)),
    ).toBeUndefined()
  })
})

describe('the header of a data message', () => {
  it('has a counter of 64 bits, little-endian, in two halves', () => {
    const view = new DataView(new ArrayBuffer(48))
    fc.assert(
      fc.property(u32, u32, u32, (receiver, hi, lo) => {
        writeDataHeader(view, 16, receiver, hi, lo)
        expect(messageTypeAt(view, 16, 32)).toBe(4)
        expect(receiverAt(view, 16, 4)).toBe(receiver)
        expect(view.getBigUint64(24, true)).toBe((BigInt(hi) << 32n) | BigInt(lo))
        expect([dataCounterHi(view, 16), dataCounterLo(view, 16)]).toEqual([hi, lo])
      }),
    )
  })
})
