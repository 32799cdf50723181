import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maskAddress } from '../../../../src/core/base/address.js'
import { type Config, formatConfig, parseConfig } from '../../../../src/core/config/config.js'
import { singleAddresses } from '../../../../src/core/config/draft.js'
import { TunnelError } from '../../../../src/errors.js'
import { conf, key, parse } from './support.js'

const keyBytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
const unicast = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(bytes => Uint8Array.from(bytes, (byte, i) => (i === 0 ? (byte % 222) + 1 : byte)))
const text = (bytes: Uint8Array) => bytes.join('.')
const prefix = fc
  .tuple(unicast, fc.nat(128))
  .map(([address, length]) => ({ address, length: Math.min(length, address.length * 8) }))
const range = prefix.map(({ address, length }) => ({ address: maskAddress(address, length), length }))
const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/)
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map(labels => labels.join('.'))
const lists = { maxLength: 4 }
const tags = fc.uniqueArray(
  label.map(tag => `tag:${tag}`),
  lists,
)
const addresses = fc.uniqueArray(unicast, { minLength: 1, maxLength: 3, selector: text })
const optional = { noNullPrototype: true }

const interfaceConfig = fc.record(
  {
    privateKey: keyBytes,
    addresses: fc.uniqueArray(prefix, { minLength: 1, maxLength: 3, selector: p => text(p.address) }),
    listenPort: fc.nat(65535),
    mtu: fc.integer({ min: 1280, max: 65472 }),
    dns: fc.record(
      {
        servers: fc.uniqueArray(unicast, { ...lists, selector: text }),
        search: fc.uniqueArray(name, lists),
        routes: fc.uniqueArray(fc.record({ suffix: name, servers: addresses }, optional), {
          ...lists,
          selector: route => route.suffix,
        }),
      },
      optional,
    ),
    name,
    tags,
    hosts: fc.uniqueArray(fc.record({ name, addresses }, optional), { ...lists, selector: host => host.name }),
  },
  { requiredKeys: ['addresses', 'dns', 'tags', 'hosts'], ...optional },
)

const peerConfig = fc
  .record(
    {
      publicKey: keyBytes,
      presharedKey: keyBytes,
      allowedIps: fc.uniqueArray(range, { ...lists, selector: p => `${text(p.address)}/${p.length}` }),
      endpoint: fc.record(
        { host: fc.oneof(name, fc.constantFrom('192.0.2.1', '2001:db8::1')), port: fc.integer({ min: 1, max: 65535 }) },
        optional,
      ),
      persistentKeepalive: fc.integer({ min: 1, max: 65535 }),
      name,
      own: addresses,
      tags,
    },
    { requiredKeys: ['publicKey', 'allowedIps', 'tags'], ...optional },
  )
  .map(({ own, ...peer }) => ({ ...peer, addresses: own ?? singleAddresses(peer.allowedIps) }))

const config = fc
  .tuple(
    interfaceConfig,
    fc.uniqueArray(peerConfig, {
      minLength: 1,
      maxLength: 4,
      comparator: (a, b) => text(a.publicKey) === text(b.publicKey) || (a.name !== undefined && a.name === b.name),
    }),
  )
  .map(
    ([own, peers]): Config => ({
      source: 'deploy.conf',
      interface: own,
      peers: peers.map(peer => ({ ...peer, line: 0 })),
      notes: [],
    }),
  )

/** Plain data to compare: bytes as arrays of numbers, and without what a file's layout decides. */
function essence(value: unknown): unknown {
  if (value instanceof Uint8Array) return Array.from(value)
  if (Array.isArray(value)) return value.map(essence)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([field]) => field !== 'line' && field !== 'notes')
  return Object.fromEntries(fields.map(([field, inner]) => [field, essence(inner)]))
}

describe('formatConfig', () => {
  it('writes what parseConfig reads back to the same configuration', () => {
    fc.assert(
      fc.property(config, original => {
        const written = formatConfig(original)
        const read = parseConfig(written, 'deploy.conf')
        expect(essence(read)).toEqual(essence(original))
        expect(formatConfig(read)).toBe(written)
      }),
      { numRuns: 300 },
    )
  })

  it('writes what is not of wg-quick as comments', () => {
    const text = formatConfig(
      parse(
        conf({
          own: ['Name = runner', 'Host = db 10.7.0.9'],
          peer: ['Name = web1', 'Tags = web', 'Address = 10.7.0.1'],
        }),
      ),
    )
    expect(text).toBe(
      [
        '[Interface]',
        '# Name = runner',
        'Address = 10.7.0.2/24',
        '# Host = db 10.7.0.9',
        '',
        '[Peer]',
        '# Name = web1',
        `PublicKey = ${key(1)}`,
        '# Address = 10.7.0.1',
        '# Tags = tag:web',
        '',
      ].join('\n'),
    )
  })

  it('refuses a value that would smuggle a line into the file (X8)', () => {
    const good = parse(conf({ peer: ['Endpoint = a:1'] }))
    const bad = 'a\nPostUp = reboot'
    const peer = good.peers[0]!
    const configs: Config[] = [
      { ...good, interface: { ...good.interface, name: bad } },
      { ...good, interface: { ...good.interface, tags: [`tag:${bad}`] } },
      { ...good, interface: { ...good.interface, hosts: [{ name: bad, addresses: [new Uint8Array([10, 7, 0, 9])] }] } },
      { ...good, interface: { ...good.interface, dns: { servers: [], search: [bad], routes: [] } } },
      { ...good, peers: [{ ...peer, name: bad }] },
      { ...good, peers: [{ ...peer, tags: [`tag:${bad}`] }] },
      { ...good, peers: [{ ...peer, endpoint: { host: bad, port: 1 } }] },
    ]
    for (const each of configs) expect(() => formatConfig(each)).toThrow(TunnelError)
  })
})

describe('parseConfig', () => {
  const fragment = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      '[Interface]',
      '[Peer]',
      `PublicKey = ${key(1)}`,
      'Address = 10.0.0.1',
      '# Name = a',
      'AllowedIPs =',
      '\r',
      '\n',
      '=',
      '[',
      ',',
    ),
    fc
      .tuple(
        fc.constantFrom('Address', 'DNS', 'Endpoint', 'Host', 'MTU', 'Tags', '# Address', 'PrivateKey'),
        fc.string(),
      )
      .map(pair => pair.join(' = ')),
  )

  it('throws nothing but CONFIG_INVALID, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 30 }), fc.constantFrom('', '\n', '\r\n'), (fragments, separator) => {
        try {
          parseConfig(fragments.join(separator), 'deploy.conf')
        } catch (error) {
          expect(error).toMatchObject({ name: 'TunnelError', code: 'CONFIG_INVALID' })
          expect((error as Error).message).toMatch(/^deploy\.conf:\d+: [^\n\r\0]+: [^\n\r\0]+$/)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('reads 10,000 peers and long lists without growing slow', () => {
    const peers = Array.from({ length: 10_000 }, (_, i) => {
      const publicKey = new Uint8Array(32)
      new DataView(publicKey.buffer).setUint32(0, i)
      const address = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`
      return `[Peer]\n# Name = p${i}\nPublicKey = ${Buffer.from(publicKey).toString('base64')}\nAllowedIPs = ${address}`
    })
    const ranges = Array.from({ length: 50_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`)
    const text = `[Interface]\nAddress = 10.7.0.2\n${peers.join('\n')}\n[Peer]\nPublicKey = ${key(200)}\nAllowedIPs = ${ranges.join(',')}`
    expect(parse(text).peers).toHaveLength(10_001)
  })

  it('refuses a text beyond the bound', () => {
    expect(() => parse(' '.repeat(16 * 1024 * 1024 + 1))).toThrow(/^deploy\.conf:1: the text is too long/)
  })
})
