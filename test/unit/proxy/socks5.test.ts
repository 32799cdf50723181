import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatReply,
  longestMessage,
  type Negotiation,
  replyCode,
  Socks5Negotiation,
} from '../../../src/proxy/socks5.js'

type Part = number | string | readonly number[] | Uint8Array

const bytes = (...parts: Part[]) =>
  Buffer.concat(parts.map(part => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as string))))

const hello = [5, 1, 0]
const port22 = [0, 22]
const request = (...rest: Part[]) => bytes(hello, [5, 1, 0], ...rest)

/** What a client that sends `chunks` is told in all, and what comes of it. */
function negotiate(chunks: Uint8Array[]) {
  const negotiation = new Socks5Negotiation()
  const replies: Uint8Array[] = []
  for (const [i, chunk] of chunks.entries()) {
    const step = negotiation.push(chunk)
    replies.push(step.reply)
    if (step.state === 'reading') continue
    const rest = step.state === 'connect' ? Buffer.concat([step.rest, ...chunks.slice(i + 1)]).toString('hex') : ''
    return summary(step, replies, rest)
  }
  return summary({ state: 'reading', reply: new Uint8Array() }, replies, '')
}

function summary(step: Negotiation, replies: Uint8Array[], rest: string) {
  return {
    state: step.state,
    ...(step.state === 'connect' && { target: step.target }),
    ...(step.state === 'refused' && { reason: step.reason }),
    reply: Buffer.concat(replies).toString('hex'),
    rest,
  }
}

const accepted = '0500'
const refusal = (code: number) => `${accepted}05${code.toString(16).padStart(2, '0')}0001000000000000`

describe('a negotiation', () => {
  it.each([
    ['IPv4', [1, [10, 7, 0, 1]], '10.7.0.1'],
    ['IPv6', [4, [0xfd, 7, ...Array(13).fill(0), 1]], 'fd07::1'],
    ['a name', [3, 4, 'web1'], 'web1'],
    ['a name that is an address', [3, 8, '10.7.0.1'], '10.7.0.1'],
    ['a name of 255 bytes', [3, 255, 'n'.repeat(255)], 'n'.repeat(255)],
    ['a name beyond ASCII', [3, 6, 'grün!'], 'grün!'],
  ] as [string, Part[], string][])('leads to the target by %s', (_, address, host) => {
    expect(negotiate([request(...address, port22)])).toEqual({
      state: 'connect',
      target: { host, port: 22 },
      reply: accepted,
      rest: '',
    })
  })

  it('answers the greeting alone first', () => {
    const negotiation = new Socks5Negotiation()
    expect(negotiation.push(bytes(hello))).toEqual({ state: 'reading', reply: Uint8Array.of(5, 0) })
    expect(negotiation.push(bytes([5, 1, 0, 3, 1], 'a', [255, 255]))).toMatchObject({
      state: 'connect',
      target: { host: 'a', port: 65535 },
      reply: new Uint8Array(),
    })
  })

  it('finds NO AUTHENTICATION REQUIRED among other methods', () => {
    expect(negotiate([bytes([5, 3, 1, 2, 0])])).toMatchObject({ state: 'reading', reply: accepted })
  })

  it('leaves what came after the request to the relay', () => {
    expect(negotiate([bytes(request(3, 1, 'a', port22), 'SSH-2.0')])).toMatchObject({
      state: 'connect',
      rest: Buffer.from('SSH-2.0').toString('hex'),
    })
  })

  it.each([
    ['no method that is served', bytes([5, 2, 1, 2]), 'methods', '05ff'],
    ['no method at all', bytes([5, 0]), 'methods', '05ff'],
    ['another version', bytes([4, 1, 0, 22]), 'version', ''],
    ['HTTP', bytes('GET / HTTP/1.1\r\n'), 'version', ''],
    ['another version in the request', bytes(hello, [4, 1, 0, 1]), 'version', accepted],
    ['BIND', bytes(hello, [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]), 'command', refusal(7)],
    ['a command that does not exist', bytes(hello, [5, 9, 0, 1]), 'command', refusal(7)],
    ['an address type that does not exist', bytes(hello, [5, 1, 0, 2]), 'address-type', refusal(8)],
    ['an empty name', request(3, 0, port22), 'target', refusal(4)],
    ['a name with a NUL', request(3, 3, 'a\0b', port22), 'target', refusal(4)],
    ['a name with a space', request(3, 3, 'a b', port22), 'target', refusal(4)],
    ['a name with a line feed', request(3, 2, 'a\n', port22), 'target', refusal(4)],
    ['a name that is not UTF-8', request(3, 2, [0xff, 0xfe], port22), 'target', refusal(4)],
    ['port 0', request(3, 1, 'a', [0, 0]), 'target', refusal(5)],
  ])('refuses %s', (_, sent, reason, reply) => {
    expect(negotiate([sent])).toEqual({ state: 'refused', reason, reply, rest: '' })
  })

  it.each([0, 1, 2, 3, 4, 6, 7, 8, 9, 11])('waits for more after %s bytes', count => {
    expect(negotiate([request(3, 4, 'web1', port22).subarray(0, count)]).state).toBe('reading')
  })

  it('is over once it has come to something', () => {
    const negotiation = new Socks5Negotiation()
    negotiation.push(bytes([4]))
    expect(() => negotiation.push(bytes([5]))).toThrow('over')
  })

  it('comes to the same however its bytes are cut', () => {
    const whole = fc.oneof(
      fc.tuple(fc.constantFrom([5, 1, 0], [5, 2, 0, 2], [5, 1, 2], [5, 0], [4]), fc.uint8Array({ maxLength: 300 })),
      fc.tuple(
        fc.constant([...hello, 5, 1, 0]),
        fc.oneof(
          fc.uint8Array({ minLength: 6, maxLength: 30 }).map(rest => bytes([1], [...rest])),
          fc.uint8Array({ minLength: 18, maxLength: 30 }).map(rest => bytes([4], [...rest])),
          fc.tuple(fc.string(), fc.uint8Array()).map(([name, rest]) => bytes([3, name.length], name, [...rest])),
        ),
      ),
    )
    fc.assert(
      fc.property(whole, fc.array(fc.nat(600), { maxLength: 20 }), ([start, rest], cuts) => {
        const sent = bytes([...start], [...rest])
        const at = [0, ...cuts.map(cut => cut % (sent.length + 1)).sort((a, b) => a - b), sent.length]
        const pieces = at.slice(1).map((end, i) => sent.subarray(at[i], end))
        expect(negotiate(pieces)).toEqual(negotiate([sent]))
      }),
      { numRuns: 2000 },
    )
  })

  it('throws at no bytes at all, and keeps no more than the longest request', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 40 }), chunks => {
        const negotiation = new Socks5Negotiation()
        let kept = 0
        for (const chunk of chunks) {
          const step = negotiation.push(chunk)
          if (step.state !== 'reading') return
          kept += chunk.length
          expect(kept).toBeLessThan(longestMessage + 257)
        }
      }),
    )
  })
})

describe('a reply', () => {
  it.each([
    [{ host: '10.7.0.2', port: 258 }, '05000001' + '0a070002' + '0102'],
    [{ host: 'fd07::2', port: 1 }, '05000004' + 'fd070000000000000000000000000002' + '0001'],
    [{ host: 'no address', port: 1 }, '05000001' + '00000000' + '0001'],
    [undefined, '05000001' + '00000000' + '0000'],
  ])('carries the address %j', (bound, hex) => {
    expect(Buffer.from(formatReply(replyCode.succeeded, bound)).toString('hex')).toBe(hex)
  })
})
