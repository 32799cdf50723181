import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../../../src/core/base/address.js'
import {
  type DnsData,
  type DnsMessage,
  type DnsRecord,
  dnsCodeOf,
  dnsOpcodeOf,
  dnsType,
  parseDns,
  serialiseDns,
} from '../../../../src/core/wire/dns.js'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
const empty = { id: 0x1234, flags: 0x8180, questions: [], answers: [], authorities: [], additionals: [] }

/** The name at `at` of a response that has the bytes `rest` in a record of a type that is not looked into. */
function nameIn(rest: string, at: number): string | undefined {
  const pointer = (0xc000 | at).toString(16)
  const names = hex(rest)
  const length = names.length.toString(16).padStart(4, '0')
  const message = hex(
    `1234 8180 0000 0002 0000 0000  00 0010 0001 00000000 ${length} ${rest}  ${pointer} 0010 0001 00000000 0000`,
  )
  return parseDns(message)?.answers[1]?.name
}

/** Where {@link nameIn}'s bytes begin. */
const start = 12 + 11

describe('a DNS message', () => {
  it('asks as RFC 1035 and RFC 6891 have it, to the byte', () => {
    const opt: DnsRecord = { name: '', type: dnsType.opt, class: 1232, ttl: 0, data: { bytes: new Uint8Array(0) } }
    const questions = [{ name: 'example.com', type: 1, class: 1 }]
    const query = serialiseDns({ ...empty, flags: 0x0100, questions, additionals: [opt] })
    expect(query).toEqual(
      hex('1234 0100 0001 0000 0000 0001  07 6578616d706c65 03 636f6d 00 0001 0001  00 0029 04d0 00000000 0000'),
    )
  })

  it('answers with compressed names, an alias and addresses of both families', () => {
    const message = parseDns(
      hex(`1234 8180 0001 0003 0000 0001
           03 777777 07 4578616d706c65 03 434f4d 00 0001 0001
           c00c 0005 0001 0000003c 0005 02 6c62 c010
           c02d 0001 0001 0000001e 0004 0a070009
           c02d 001c 0001 ffffffff 0010 fd07000000000000 0000000000000009
           00 0029 04d0 00000000 0000`),
    )
    expect(message?.questions).toEqual([{ name: 'www.example.com', type: 1, class: 1 }])
    const [alias, v4, v6] = (message as DnsMessage).answers as [DnsRecord, DnsRecord, DnsRecord]
    expect(alias).toEqual({
      name: 'www.example.com',
      type: 5,
      class: 1,
      ttl: 60,
      data: { target: 'lb.example.com' },
    })
    expect([v4.name, v4.ttl, formatAddress((v4.data as { address: Uint8Array }).address)]).toEqual([
      'lb.example.com',
      30,
      '10.7.0.9',
    ])
    expect([v6.ttl, formatAddress((v6.data as { address: Uint8Array }).address)]).toEqual([0xffffffff, 'fd07::9'])
  })

  it('says how long a name is known not to exist', () => {
    const message = parseDns(
      hex(`1234 8183 0001 0000 0001 0000  01 78 00 0001 0001
           00 0006 0001 00000e10 0019 01 61 00 00  00000001 00000002 00000003 00000004 00000005 00`),
    )
    // The length counts a byte that the SOA does not have.
    expect(message).toBeUndefined()
    const right = parseDns(
      hex(`1234 8183 0001 0000 0001 0000  01 78 00 0001 0001
           00 0006 0001 00000e10 0018 01 61 00 00  00000001 00000002 00000003 00000004 00000005`),
    )
    const soa = { primary: 'a', mailbox: '', times: [1, 2, 3, 4], minimum: 5 }
    expect(right?.authorities).toEqual([{ name: '', type: 6, class: 1, ttl: 3600, data: { soa } }])
    expect(dnsCodeOf(right as DnsMessage)).toBe(3)
  })

  it('has an opcode, and the high bits of its code in OPT', () => {
    const opt: DnsRecord = { name: '', type: 41, class: 512, ttl: 0x01000000, data: { bytes: new Uint8Array(0) } }
    const message = { ...empty, flags: 0x8000 | (5 << 11), additionals: [opt] }
    expect([dnsOpcodeOf(message), dnsCodeOf(message)]).toEqual([5, 16])
  })

  it('that was cut short is none, but for one that says so and has its questions', () => {
    const whole = `0001 0002 0000 0000  01 78 00 0001 0001  c00c 0001 0001 00000001 0004 0a070001`
    expect(parseDns(hex(`1234 8180 ${whole} c00c 0001`))).toBeUndefined()
    expect(parseDns(hex(`1234 8380 ${whole} c00c 0001`))?.answers).toHaveLength(1)
    expect(parseDns(hex('1234 8380 0001 0000 0000 0000  01 78 00 0001'))).toBeUndefined()
    expect(parseDns(hex('1234 8380 0001 0000 0000'))).toBeUndefined()
    expect(parseDns(new Uint8Array(0))).toBeUndefined()
  })

  it.each([
    ['an A of five bytes', '01 78 00 0001 0001 00000001 0005 0a07000100'],
    ['an A of three', '01 78 00 0001 0001 00000001 0003 0a0700'],
    ['an AAAA of four', '01 78 00 001c 0001 00000001 0004 0a070001'],
    ['a CNAME that ends before its length', '01 78 00 0005 0001 00000001 0004 01 78 00 00'],
    ['a CNAME that runs over it', '01 78 00 0005 0001 00000001 0002 01 78 00'],
  ])('with %s is none', (_, record) => {
    expect(parseDns(hex(`1234 8180 0000 0001 0000 0000 ${record}`))).toBeUndefined()
  })
})

describe('a name in it', () => {
  it('is read in lower case, whatever bytes it has', () => {
    expect(nameIn('03 466f4f 00', start)).toBe('foo')
    expect(nameIn('04 612e625c 03 6100ff 00', start)).toBe('a\\046b\\092.a\\000\\255')
  })

  it('may lead to an earlier one, and that to one before it (RFC 1035, section 4.1.4)', () => {
    // F.ISI.ARPA, then FOO.F.ISI.ARPA, then ARPA.
    const names = '01 46 03 495349 04 41525041 00  03 464f4f c017  c01d'
    expect(nameIn(names, start)).toBe('f.isi.arpa')
    expect(nameIn(names, start + 12)).toBe('foo.f.isi.arpa')
    expect(nameIn(names, start + 18)).toBe('arpa')
  })

  it.each([
    ['leads to itself', 'c017'],
    ['leads forward', '01 61 c01c 00 00 01 62 00'],
    ['leads in a circle', '01 61 c01a 01 62 c017'],
    ['leads into the header', 'c004'],
    ['has a label of a kind that there is not', '41 61 00'],
    ['ends within a label', '05 6161'],
  ])('that %s is none', (_, names) => {
    expect(nameIn(names, start)).toBeUndefined()
  })

  it('has 255 bytes at most, through pointers too', () => {
    const label = `3f ${'61'.repeat(63)}`
    expect(nameIn(`${label}${label}${label} 3d ${'61'.repeat(61)} 00`, start)).toHaveLength(253)
    expect(nameIn(`${label}${label}${label} 3e ${'61'.repeat(62)} 00`, start)).toBeUndefined()
    expect(nameIn(`${label}${label}${label} 00 ${label} c017`, start + 193)).toBeUndefined()
  })

  it('is followed a bounded number of times', () => {
    const pointers = Array.from({ length: 200 }, (_, i) => (0xc017 + 2 * i).toString(16)).join('')
    expect(nameIn(`0000 ${pointers}`, start + 2 * 100)).toBe('')
    expect(nameIn(`0000 ${pointers}`, start + 2 * 200)).toBeUndefined()
  })

  it.each(['a..b', '.', 'a'.repeat(64), `${'a'.repeat(63)}.`.repeat(4).slice(0, -1)])(
    'is not written where it is none: %s',
    name => {
      const message = { ...empty, questions: [{ name, type: 1, class: 1 }] }
      expect(() => serialiseDns(message)).toThrow(RangeError)
    },
  )
})

const byte = fc.nat(255)
const label = fc.uint8Array({ minLength: 1, maxLength: 20 }).map(bytes =>
  [...bytes]
    .map(value => {
      const lower = value >= 65 && value <= 90 ? value + 32 : value
      const text = String.fromCharCode(lower)
      return /[a-z0-9_-]/.test(text) ? text : `\\${lower.toString().padStart(3, '0')}`
    })
    .join(''),
)
const name = fc.array(label, { maxLength: 5 }).map(labels => labels.join('.'))
const word = fc.nat(0xffff)
const long = fc.nat(0xffffffff)
const data = (type: number): fc.Arbitrary<DnsData> => {
  if (type === 1) return fc.uint8Array({ minLength: 4, maxLength: 4 }).map(address => ({ address }))
  if (type === 28) return fc.uint8Array({ minLength: 16, maxLength: 16 }).map(address => ({ address }))
  if (type === 2 || type === 5) return name.map(target => ({ target }))
  if (type !== 6) return fc.array(byte, { maxLength: 300 }).map(bytes => ({ bytes: Uint8Array.from(bytes) }))
  return fc
    .tuple(name, name, fc.tuple(long, long, long, long), long)
    .map(([primary, mailbox, times, minimum]) => ({ soa: { primary, mailbox, times, minimum } }))
}
const record = fc
  .constantFrom(1, 2, 5, 6, 16, 28, 41)
  .chain(type => fc.record({ name, type: fc.constant(type), class: fc.constant(1), ttl: long, data: data(type) }))
const records = fc.array(record, { maxLength: 4 })
const message = fc.record({
  id: word,
  flags: word,
  questions: fc.array(fc.record({ name, type: word, class: word }), { maxLength: 2 }),
  answers: records,
  authorities: records,
  additionals: records,
})

describe('any message', () => {
  it('that was written is read again as it was', () => {
    fc.assert(
      fc.property(message, written => {
        expect(parseDns(serialiseDns(written as DnsMessage))).toEqual(written)
      }),
    )
  })

  it('cut anywhere, or with any byte changed, is read or is none, and never throws', () => {
    fc.assert(
      fc.property(message, fc.nat(), byte, (written, at, value) => {
        const bytes = serialiseDns(written as DnsMessage)
        parseDns(bytes.subarray(0, at % bytes.length))
        bytes[at % bytes.length] = value
        parseDns(bytes)
      }),
    )
  })
})
