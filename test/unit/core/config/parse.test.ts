import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { formatAddress, formatPrefix } from '../../../../src/core/base/address.js'
import { encodeKey } from '../../../../src/core/base/base64.js'
import { SecretKey } from '../../../../src/core/base/secret.js'
import { conf, key, parse, refusal } from './support.js'

const full = `
# the runner
[Interface]
PrivateKey = ${key(9)}   # kept in the vault
Address = 10.7.0.2/24, fd00:7::2/64
Address = 10.8.0.2
ListenPort = 51820
MTU = 1380
DNS = 10.7.0.1, fd00:7::1, example.internal
Name = runner
Tags = tag:ci, deploy
Host = db.internal 10.7.0.9 fd00:7::9

[Peer]
PublicKey = ${key(1)}
PresharedKey = ${key(2)}
AllowedIPs = 10.7.0.0/24, fd00:7::1/128
AllowedIPs = 10.7.0.1/32
Endpoint = vpn.example.com:51820
PersistentKeepalive = 25
Name = web1
Tags = tag:web

[Peer]
PublicKey = ${key(3)}
Endpoint = [2001:db8::1]:443
PersistentKeepalive = off
AllowedIPs = (none)
Address = 10.9.0.1
`

describe('a configuration', () => {
  it('is read with every key of wg-quick and the ones of tunless', () => {
    const config = parse(full)
    const own = config.interface
    expect(own.privateKey && encodeKey(own.privateKey)).toBe(key(9))
    expect(own.addresses.map(p => `${formatAddress(p.address)}/${p.length}`)).toEqual([
      '10.7.0.2/24',
      'fd00:7::2/64',
      '10.8.0.2/32',
    ])
    expect(own.listenPort).toBe(51820)
    expect(own.mtu).toBe(1380)
    expect(own.dns.servers.map(formatAddress)).toEqual(['10.7.0.1', 'fd00:7::1'])
    expect(own.dns.search).toEqual(['example.internal'])
    expect(own.name).toBe('runner')
    expect(own.tags).toEqual(['tag:ci', 'tag:deploy'])
    expect(own.hosts.map(host => [host.name, ...host.addresses.map(formatAddress)])).toEqual([
      ['db.internal', '10.7.0.9', 'fd00:7::9'],
    ])

    const [web, other] = config.peers
    expect(encodeKey(web!.publicKey)).toBe(key(1))
    expect(web?.presharedKey && encodeKey(web.presharedKey)).toBe(key(2))
    expect(web?.allowedIps.map(formatPrefix)).toEqual(['10.7.0.0/24', 'fd00:7::1/128', '10.7.0.1/32'])
    expect(web?.endpoint).toEqual({ host: 'vpn.example.com', port: 51820 })
    expect(web?.persistentKeepalive).toBe(25)
    expect(web?.name).toBe('web1')
    expect(web?.tags).toEqual(['tag:web'])
    expect(web?.line).toBe(14)
    expect(other?.endpoint).toEqual({ host: '2001:db8::1', port: 443 })
    expect(other).not.toHaveProperty('persistentKeepalive')
    expect(other?.allowedIps).toEqual([])
    expect(other?.addresses.map(formatAddress)).toEqual(['10.9.0.1'])
    expect(config.notes).toEqual([])
  })

  it('takes DNSRoute for a domain or several, of a comment too, and lines with one domain add up', () => {
    const { dns } = parse(
      conf({
        own: [
          'DNSRoute = corp.example 10.7.0.53 fd07::53',
          '# DNSRoute = .Lab.example., Corp.Example, 10.7.0.54',
          '# DNSRoute = see the wiki',
        ],
      }),
    ).interface
    expect(dns.routes.map(({ suffix, servers }) => [suffix, ...servers.map(formatAddress)])).toEqual([
      ['corp.example', '10.7.0.53', 'fd07::53', '10.7.0.54'],
      ['Lab.example', '10.7.0.54'],
    ])
    expect(dns.servers).toEqual([])
  })

  it("takes a peer's own addresses from the /32 and /128 of its AllowedIPs where no Address names them", () => {
    expect(parse(full).peers[0]?.addresses.map(formatAddress)).toEqual(['fd00:7::1', '10.7.0.1'])
  })

  it('may have CRLF, a BOM, tabs, keys and sections in any case and no space around =', () => {
    const text = `\ufeff[INTERFACE]\r\naddress=10.7.0.2/24\r\n\r\n[ peer ]\r\n\tPUBLICKEY=${key(1)}\r\nallowedips\t=\t10.7.0.1/32\r\n`
    expect(parse(text).peers[0]?.addresses.map(formatAddress)).toEqual(['10.7.0.1'])
  })

  it('reads names, addresses, tags and hosts from comments, so that wg-quick loads the same file', () => {
    const config = parse(
      conf({
        own: ['# Name = runner', '#Tags = ci', '## host = db 10.7.0.9'],
        peer: ['# Name = web1', '# Address = 10.7.0.1', '# tags=tag:web # the first'],
      }),
    )
    expect(config.interface).toMatchObject({ name: 'runner', tags: ['tag:ci'], hosts: [{ name: 'db' }] })
    expect(config.peers[0]).toMatchObject({ name: 'web1', tags: ['tag:web'] })
    expect(config.peers[0]?.addresses.map(formatAddress)).toEqual(['10.7.0.1'])
    expect(config.notes).toEqual([])
  })

  it('leaves a comment alone that cannot be used, with a note', () => {
    const config = parse(conf({ peer: ["# Name = Bob's laptop", '# PublicKey = none of it', '# just words = 7'] }))
    expect(config.peers[0]).not.toHaveProperty('name')
    expect(config.notes).toHaveLength(1)
    expect(config.notes[0]).toMatch(/^deploy\.conf:5: the comment's Name is ignored: /)
  })

  it('does not give the name over a header to the section before it', () => {
    const config = parse(`${conf()}\n\n# Name = web2\n# Tags = web\n[Peer]\nPublicKey = ${key(2)}`)
    expect(config.peers.map(peer => peer.name)).toEqual([undefined, undefined])
    expect(config.notes[0]).toContain("deploy.conf:6: the comment's Name is ignored: it stands above a section")
    expect(config.notes).toHaveLength(2)
  })

  it('takes the key before the comment of the same name, and the first of two comments', () => {
    const config = parse(conf({ peer: ['Name = web1', '# Name = old'] }))
    expect(config.peers[0]?.name).toBe('web1')
    expect(config.notes).toHaveLength(1)
  })

  it('notes a second peer whose comment gives a name that is taken', () => {
    const config = parse(`${conf({ peer: ['# Name = web1'] })}\n[Peer]\n# Name = WEB1\nPublicKey = ${key(2)}`)
    expect(config.peers.map(peer => peer.name)).toEqual(['web1', undefined])
    expect(config.notes[0]).toContain('another [Peer] has this name')
  })

  it.each(['PreUp', 'PostUp', 'PreDown', 'PostDown', 'Table', 'SaveConfig', 'FwMark'])(
    'ignores %s with a note',
    name => {
      const config = parse(conf({ own: [`${name} = iptables -A FORWARD`, `${name} = off`] }))
      expect(config.notes).toHaveLength(2)
      expect(config.notes[0]).toMatch(new RegExp(`^deploy\\.conf:3: ${name} is ignored: `))
    },
  )

  it('notes a range that two peers claim: the last has it', () => {
    const config = parse(
      `${conf({ peer: ['AllowedIPs = 10.7.0.0/24'] })}\n[Peer]\nPublicKey = ${key(2)}\nAllowedIPs = 10.7.0.9/24`,
    )
    expect(config.notes).toEqual([
      'deploy.conf:6: this [Peer] takes 10.7.0.0/24 from the one on line 3: a range has one peer',
    ])
  })

  it('merges repeated AllowedIPs and Hosts of one name', () => {
    const config = parse(
      conf({
        own: ['Host = db 10.7.0.9', 'Host = DB 10.7.0.9 10.7.0.10'],
        peer: ['AllowedIPs =', 'AllowedIPs = 10.7.0.0/24', 'AllowedIPs = 10.7.0.77/24'],
      }),
    )
    expect(config.interface.hosts.map(host => host.addresses.map(formatAddress))).toEqual([['10.7.0.9', '10.7.0.10']])
    expect(config.peers[0]?.allowedIps.map(formatPrefix)).toEqual(['10.7.0.0/24'])
  })

  it('may have no [Peer]: peers can come later', () => {
    const config = parse(`[Interface]\nPrivateKey = ${key(7)}\nAddress = 10.7.0.2/24\n`)
    expect([config.peers, config.notes]).toEqual([[], []])
  })

  it('never shows its secrets when it is printed', () => {
    const config = parse(full)
    for (const text of [
      inspect(config, { depth: null }),
      JSON.stringify(config),
      `${config.interface.privateKey} ${config.peers[0]?.presharedKey}`,
      String(config.interface.privateKey?.slice(1)),
      config.interface.privateKey?.toLocaleString() ?? '',
      config.interface.privateKey?.join(' ') ?? '',
    ]) {
      expect(text).toContain('(hidden key)')
      expect(text).not.toContain(key(9))
      expect(text).not.toMatch(/\b9, ?9\b/)
    }
    expect(config.interface.privateKey).toBeInstanceOf(SecretKey)
  })
})

describe('a configuration is refused with file, line, thing and remedy', () => {
  const cases: [why: string, text: string, message: string][] = [
    [
      'no section at all',
      '',
      'deploy.conf:1: no [Interface] section: begin the file with [Interface], PrivateKey and Address',
    ],
    ['no [Interface]', `[Peer]\nPublicKey = ${key(1)}`, 'deploy.conf:1: no [Interface] section'],
    [
      'two [Interface]',
      `${conf()}\n[Interface]`,
      'deploy.conf:5: a second [Interface] section: merge it with the one on line 1',
    ],
    ['an unknown section', '[Peers]', "deploy.conf:1: unknown section 'Peers': did you mean [Peer]?"],
    ['a strange section', '[WireGuard2]', "deploy.conf:1: unknown section 'WireGuard2': there are only"],
    ['an open section', '[Interface', 'deploy.conf:1: the line is not a section header'],
    ['text after a section', '[Interface] x', 'deploy.conf:1: the line is not a section header'],
    [
      'a key before a section',
      'Address = 10.7.0.2',
      'deploy.conf:1: a key before the first section: begin the file with',
    ],
    ['a line that is no key', conf({ own: ['hello'] }), "deploy.conf:3: the line is not 'Key = value'"],
    [
      'an unknown key',
      conf({ own: ['Jc = 4'] }),
      "deploy.conf:3: unknown key 'Jc' under [Interface]: [Interface] knows",
    ],
    ['a misspelt key', conf({ peer: ['AllowedIP = ::/0'] }), "'AllowedIP' under [Peer]: did you mean AllowedIPs?"],
    ['a key with a space', conf({ own: ['Listen Port = 1'] }), 'did you mean ListenPort?'],
    [
      'a key of the other section',
      conf({ own: ['Endpoint = a:1'] }),
      "'Endpoint' under [Interface]: Endpoint belongs under [Peer]",
    ],
    [
      'a key twice',
      conf({ own: ['MTU = 1400', 'mtu = 1400'] }),
      'deploy.conf:4: MTU stands twice in one [Interface]: keep one',
    ],
    [
      'PublicKey twice',
      conf({ peer: [`PublicKey = ${key(2)}`] }),
      'deploy.conf:5: PublicKey stands twice in one [Peer]',
    ],
    ['a key without value', conf({ own: ['ListenPort ='] }), 'deploy.conf:3: ListenPort: it has no value: write one'],
    ['no Address', `[Interface]\n[Peer]\nPublicKey = ${key(1)}`, 'deploy.conf:1: [Interface] has no Address: add'],
    ['an Address twice', conf({ own: ['Address = 10.7.0.2/32'] }), 'deploy.conf:1: Address 10.7.0.2 stands twice'],
    [
      'no PublicKey',
      `${conf()}\n[Peer]\nEndpoint = a:1`,
      "deploy.conf:5: [Peer] has no PublicKey: add the other side's",
    ],
    [
      'two identical peers',
      `${conf()}\n[Peer]\nPublicKey = ${key(1)}`,
      'same PublicKey as the one on line 3: merge the two',
    ],
    [
      'two peers of one name',
      `${conf({ peer: ['Name = a'] })}\n[Peer]\nName = A\nPublicKey = ${key(2)}`,
      'same Name as the one on line 3',
    ],
    ['a bad address', conf({ own: ['Address = 10.7.0/24'] }), "deploy.conf:3: Address: '10.7.0/24' is not an address"],
    ['a multicast address', conf({ own: ['Address = 224.0.0.1'] }), "224.0.0.1 is no host's own address"],
    [
      'a bad range',
      conf({ peer: ['AllowedIPs = 10.0.0.0/33'] }),
      "deploy.conf:5: AllowedIPs: '10.0.0.0/33' is not an address range",
    ],
    ['a range with junk', conf({ peer: ['AllowedIPs = 10.0.0.0/8x'] }), "'10.0.0.0/8x' is not an address range"],
    ['an empty item', conf({ peer: ['AllowedIPs = ::/0,,10.0.0.0/8'] }), 'an item of the list is empty'],
    ["a peer's range as Address", conf({ peer: ['Address = 10.0.0.0/8'] }), 'is not the address of one host'],
    [
      'MTU too small',
      conf({ own: ['MTU = 575'] }),
      "deploy.conf:3: MTU: '575' is out of range: write a whole number from 576 to 65472",
    ],
    ['MTU in hex', conf({ own: ['MTU = 0x500'] }), "'0x500' is out of range"],
    [
      'MTU too small for IPv6',
      conf({ own: ['Address = fd00::1', 'MTU = 1279'] }),
      'deploy.conf:4: MTU 1279 with an IPv6 Address',
    ],
    [
      'a port too large',
      conf({ own: ['ListenPort = 65536'] }),
      "'65536' is out of range: write a whole number from 0 to 65535",
    ],
    ['a keepalive too large', conf({ peer: ['PersistentKeepalive = 65536'] }), 'from 0 to 65535'],
    [
      'an endpoint without port',
      conf({ peer: ['Endpoint = vpn.example.com'] }),
      "Endpoint: 'vpn.example.com' has no port: write HOST:PORT",
    ],
    ['an endpoint of bare IPv6', conf({ peer: ['Endpoint = 2001:db8::1'] }), 'has no port: write [ADDRESS]:PORT'],
    ['an endpoint with port 0', conf({ peer: ['Endpoint = a:0'] }), "'0' is not a port"],
    ['an endpoint with a named port', conf({ peer: ['Endpoint = a:https'] }), "'https' is not a port"],
    ['an endpoint that is no host', conf({ peer: ['Endpoint = a b:1'] }), "'a b' is not a host"],
    [
      'an endpoint that is nearly an address',
      conf({ peer: ['Endpoint = 10.0.0.256:1'] }),
      "'10.0.0.256' is not a host",
    ],
    ['a name in brackets', conf({ peer: ['Endpoint = [name]:1'] }), "'name' is not a host"],
    ['a bad name', conf({ peer: ['Name = web 1'] }), "deploy.conf:5: Name: 'web 1' is not a name"],
    ['a bad tag', conf({ peer: ['Tags = tag:1web'] }), "Tags: 'tag:1web' is not a tag"],
    ['a host without address', conf({ own: ['Host = db'] }), "Host: 'db' has no address: write Host = NAME ADDRESS"],
    ['a bad DNS', conf({ own: ['DNS = 10.7.0.1, a/b'] }), "DNS: 'a/b' is neither an address nor a domain"],
    [
      'a DNSRoute without a server',
      conf({ own: ['DNSRoute = corp.example'] }),
      "DNSRoute: 'corp.example' has no address of a server: write DNSRoute = corp.example 10.7.0.53",
    ],
    ['a DNSRoute without a domain', conf({ own: ['DNSRoute = 10.7.0.53'] }), "DNSRoute: '10.7.0.53' has no domain"],
    [
      'a DNSRoute that is neither',
      conf({ own: ['DNSRoute = a/b 10.7.0.53'] }),
      "DNSRoute: 'a/b' is neither a domain nor an address",
    ],
    ['a DNSRoute for everything', conf({ own: ['DNSRoute = . 10.7.0.53'] }), "'.' is neither a domain nor an address"],
    ['a NUL', conf({ own: ['Name = a\0b'] }), 'deploy.conf:3: a character that no key or value can have'],
    [
      'a lone CR within a value',
      conf({ own: ['Name = a\rPostUp = b'] }),
      'deploy.conf:3: a character that no key or value can have',
    ],
  ]
  it.each(cases)('%s', (_why, text, message) => {
    expect(refusal(text)).toContain(message)
  })

  it.each([
    ['too short', key(7).slice(1), 'the key has 43 characters: a key is 44 characters of base64'],
    ['too long', `${key(7)}A`, 'the key has 45 characters'],
    ['not canonical', `${key(7).slice(0, 42)}d=`, 'the key is not base64 of 32 bytes'],
    ['url-safe', `_${key(7).slice(1)}`, 'the key is not base64 of 32 bytes'],
    ['hex', '07'.repeat(32), 'the key has 64 characters'],
  ])('a key that is %s, without showing it', (_why, text, message) => {
    const said = refusal(conf({ own: [`PrivateKey = ${text}`] }))
    expect(said).toContain(`deploy.conf:3: PrivateKey: ${message}`)
    expect(said).not.toContain(text.slice(4, 20))
  })

  it.each([
    ['alone on a line', key(0x5a)],
    ['wrapped onto the next line', `PostUp = a\n${key(0x5a).slice(30)}`],
    ['as the name of a key', `${key(0x5a).slice(0, 43)} = x`],
    ['as an address', `Address = ${key(0x5a)}`],
    ['as a name', `Name = ${key(0x5a)}`],
    ['behind the wrong key', `Adress = ${key(0x5a)}`],
    ['as a host of an endpoint', `[Peer]\nEndpoint = ${key(0x5a)}:1`],
  ])('a key %s, without showing it', (_where, line) => {
    expect(refusal(conf({ own: [line] }))).not.toMatch(/Wlpa/)
  })
})
