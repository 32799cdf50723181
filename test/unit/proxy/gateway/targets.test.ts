import { describe, expect, it } from 'vitest'
import { createTargets, readRoute } from '../../../../src/proxy/gateway/targets.js'

function targets(routes: string[], { own = ['10.1.0.5', 'fd01::5'], inside = ['10.7.0.2/32', 'fd07::/64'] } = {}) {
  const rules = { routes: routes.map(readRoute), ownAddresses: () => own, inside: () => inside, now: () => 0 }
  const find = createTargets(rules)
  return (address: string) => {
    const verdict = find(address)
    return 'host' in verdict ? verdict.host : verdict.denied
  }
}

describe('where a gateway leads', () => {
  it('is what a route covers, as it is', () => {
    const find = targets(['10.0.0.0/8', '2001:db8::/32'])
    expect(find('10.2.3.4')).toBe('10.2.3.4')
    expect(find('2001:db8::7')).toBe('2001:db8::7')
    for (const other of ['11.0.0.1', '2001:db9::7', 'nonsense']) expect(find(other)).toBe('no route leads there')
  })

  it('is another address where one stands for it, this host included', () => {
    const find = targets(['10.9.0.1=127.0.0.1', 'fd09::1/128=::1', '10.9.0.2=169.254.169.254'])
    expect(find('10.9.0.1')).toBe('127.0.0.1')
    expect(find('fd09::1')).toBe('::1')
    expect(find('10.9.0.2')).toBe('169.254.169.254')
  })

  it.each([
    ['10.1.0.5', "it is this host's own"],
    ['fd01::5', "it is this host's own"],
    ['127.0.0.1', "it is this host's, or of its link"],
    ['0.0.0.0', "it is this host's, or of its link"],
    ['::1', "it is this host's, or of its link"],
    ['::', "it is this host's, or of its link"],
    ['::127.0.0.1', "it is this host's, or of its link"],
    ['::ffff:127.0.0.1', "it is this host's, or of its link"],
    ['169.254.169.254', "it is this host's, or of its link"],
    ['fe80::1', "it is this host's, or of its link"],
    ['224.0.0.1', "it is this host's, or of its link"],
    ['255.255.255.255', "it is this host's, or of its link"],
    ['ff02::1', "it is this host's, or of its link"],
    ['fd00:ec2::254', "it is a cloud's metadata service"],
    ['168.63.129.16', "it is a cloud's metadata service"],
    ['10.7.0.2', "it is a peer's"],
    ['fd07::9', "it is a peer's"],
  ])('is never %s by a route that covers everything', (address, why) => {
    expect(targets(['0.0.0.0/0', '::/0'])(address)).toContain(why)
  })

  it("is an own address, a peer's or a metadata service only by a route that names just that", () => {
    const narrow = targets(['10.1.0.0/24', '10.7.0.0/24', '168.63.0.0/16'])
    for (const address of ['10.1.0.5', '10.7.0.2', '168.63.129.16'])
      expect(narrow(address)).toContain('no --route names')
    const named = targets(['10.1.0.5/32', '10.7.0.2', '168.63.129.16/32', 'fd07::/64'])
    for (const address of ['10.1.0.5', '10.7.0.2', '168.63.129.16', 'fd07::9']) expect(named(address)).toBe(address)
  })

  it("follows this host's addresses", () => {
    let own = ['10.1.0.5']
    let now = 0
    const find = createTargets({
      routes: [readRoute('10.0.0.0/8')],
      ownAddresses: () => own,
      inside: () => [],
      now: () => now,
    })
    expect(find('10.1.0.6')).toEqual({ host: '10.1.0.6' })
    own = ['10.1.0.6']
    now = 1000
    expect(find('10.1.0.6')).toHaveProperty('denied')
    expect(find('10.1.0.5')).toEqual({ host: '10.1.0.5' })
  })
})

describe('--route', () => {
  it.each([
    ['10.0.0.0/33', /write a range/],
    ['web1', /write a range/],
    ['', /write a range/],
    ['10.9.0.1=web1', /write a range/],
    ['10.9.0.1=10.9.0.2=10.9.0.3', /write a range/],
    ['10.9.0.0/24=127.0.0.1', /only a single address/],
    ['127.0.0.1/32', /no host sends packets for 127\.0\.0\.0\/8 into a tunnel.*ADDRESS=127\.0\.0\.1/],
    ['169.254.169.254', /169\.254\.0\.0\/16/],
    ['224.0.0.0/4', /224\.0\.0\.0\/3/],
    ['::1', /::\/96/],
    ['fe80::/64', /fe80::\/10/],
  ])('refuses %j', (text, message) => {
    expect(() => readRoute(text)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }),
    )
  })
})
