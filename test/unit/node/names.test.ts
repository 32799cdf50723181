import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../../src/core/base/address.js'
import { encodeKey } from '../../../src/core/base/base64.js'
import { parseConfig } from '../../../src/core/config/config.js'
import { createNames } from '../../../src/node/names.js'

const key = (byte: number) => encodeKey(new Uint8Array(32).fill(byte))
const names = createNames(
  parseConfig(
    `[Interface]
PrivateKey = ${key(1)}
Address = 10.7.0.5/32, fd07::5/128
Name = runner
Host = db 10.8.0.1 fd08::1
[Peer]
Name = web1
PublicKey = ${key(2)}
AllowedIPs = 10.7.0.1/32, fd07::1/128, 10.8.0.0/24
[Peer]
# Name = web2
# Address = 10.7.0.2
PublicKey = ${key(3)}
AllowedIPs = 10.9.0.0/24, 10.7.0.2/32
`,
    'test.conf',
  ),
)
const lookup = (name: string) => names.find(name)?.map(formatAddress)

describe('names of the configuration', () => {
  it("a peer's name is its own addresses, not the networks behind it", () => {
    expect(lookup('web1')).toEqual(['10.7.0.1', 'fd07::1'])
    expect(lookup('web2')).toEqual(['10.7.0.2'])
  })

  it('a Host and the own Name are known, without case and with a final dot', () => {
    expect(lookup('DB.')).toEqual(['10.8.0.1', 'fd08::1'])
    expect(lookup('Runner')).toEqual(['10.7.0.5', 'fd07::5'])
  })

  it('a literal is its address, in brackets too', () => {
    expect(lookup('192.0.2.1')).toEqual(['192.0.2.1'])
    expect(lookup('[fd07::9]')).toEqual(['fd07::9'])
  })

  it('any other name is not here, and the known ones can be told', () => {
    expect(lookup('web9')).toBeUndefined()
    expect(lookup('localhost')).toBeUndefined()
    expect(names.list).toBe('runner, web1, web2, db')
  })
})
