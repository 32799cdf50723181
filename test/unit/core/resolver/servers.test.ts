// Which server is asked when, and what comes of the search domains.
import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../../../src/core/base/address.js'
import { replyTo, type Zone } from '../../../support/dns.js'
import { DnsWorld, type Sent } from '../../../support/dns-world.js'

const two = { servers: ['10.7.0.53', '10.7.0.54'] }
const zone: Zone = { 'web1.corp': { a: ['10.7.0.3'] } }
const last = (world: DnsWorld) => world.sent.at(-1) as Sent
const when = (world: DnsWorld) => world.sent.map(({ server, at }) => `${server} ${at}`)
const code = (world: DnsWorld, to: Sent, rcode: number) => world.reply(to, replyTo(to.query, {}, rcode))
const reasons = (watched: { failure: unknown }) =>
  (watched.failure as { failures: { server: Uint8Array; reason: string }[] }).failures.map(
    ({ server, reason }) => `${formatAddress(server)} ${reason}`,
  )

describe('a server', () => {
  it('that is silent is asked three times, each with twice the time, and then it is told', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp', { family: 4 })
    world.pass(20_000)
    expect(when(world)).toEqual(['10.7.0.53 0', '10.7.0.53 2000', '10.7.0.53 6000'])
    expect(watched.endedAt).toBe(14_000)
    expect(reasons(watched)).toEqual(['10.7.0.53 silent'])
    expect(world.resolver.counters.timeouts).toBe(3)
  })

  it('that is silent gives way to the next', () => {
    const world = new DnsWorld(two)
    const watched = world.lookup('web1.corp', { family: 4 })
    world.pass(2000)
    expect(when(world)).toEqual(['10.7.0.53 0', '10.7.0.54 2000'])
    world.serve(zone, ({ server }) => server === '10.7.0.54')
    expect(watched).toMatchObject({ found: { 4: ['10.7.0.3'] }, ended: true })
  })

  it('that answers late has answered', () => {
    const world = new DnsWorld(two)
    const watched = world.lookup('web1.corp', { family: 4 })
    world.pass(3000)
    world.serve(zone, ({ server }) => server === '10.7.0.53')
    expect(watched).toMatchObject({ found: { 4: ['10.7.0.3'] }, endedAt: 3000 })
    expect(world.open).toEqual([])
  })

  it('that fails late hastens nothing, and is asked no more', () => {
    const world = new DnsWorld(two)
    world.lookup('web1.corp', { family: 4 })
    world.pass(2500)
    code(world, world.sent[0] as Sent, 2)
    world.pass(10_000)
    expect(when(world)).toEqual(['10.7.0.53 0', '10.7.0.54 2000', '10.7.0.54 4000', '10.7.0.54 8000'])
  })

  it('that was silent is asked last for half a minute, unless it answers', () => {
    const world = new DnsWorld(two)
    world.lookup('web1.corp', { family: 4 })
    world.pass(2000)
    world.serve(zone, ({ server }) => server === '10.7.0.54')
    world.lookup('web2.corp', { family: 4 })
    expect(last(world).server).toBe('10.7.0.54')
    world.serve(zone)
    world.pass(30_000)
    world.lookup('web3.corp', { family: 4 })
    expect(last(world).server).toBe('10.7.0.53')
    world.pass(2000)
    world.serve(zone)
    world.lookup('web4.corp', { family: 4 })
    expect(last(world).server).toBe('10.7.0.53')
  })

  it.each([
    [2, 'SERVFAIL'],
    [5, 'REFUSED'],
    [9, 'RCODE 9'],
  ])('that answers code %s gives way at once, and is not asked again', (rcode, name) => {
    const world = new DnsWorld(two)
    const watched = world.lookup('web1.corp', { family: 4 })
    code(world, last(world), rcode)
    expect(when(world)).toEqual(['10.7.0.53 0', '10.7.0.54 0'])
    code(world, last(world), rcode)
    expect(watched.endedAt).toBe(0)
    expect(reasons(watched)).toEqual([`10.7.0.53 ${name}`, `10.7.0.54 ${name}`])
  })

  it('that does not know EDNS is asked without it (RFC 6891, 7)', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp', { family: 4 })
    const to = last(world)
    world.reply(to, replyTo(to.query, { questions: [] }, 1))
    expect(last(world).query.additionals).toEqual([])
    expect(last(world).query.id).not.toBe(to.query.id)
    world.serve(zone)
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
    const other = world.lookup('web2.corp', { family: 4 })
    code(world, last(world), 1)
    code(world, last(world), 1)
    expect(reasons(other)).toEqual(['10.7.0.53 FORMERR'])
  })

  it('that refers to others is none that resolves', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp', { family: 4 })
    const to = last(world)
    const ns = { name: 'corp', type: 2, class: 1, ttl: 60, data: { target: 'ns.corp' } }
    world.reply(to, { ...replyTo(to.query, { authorities: [ns] }), flags: 0x8100 })
    expect(reasons(watched)).toEqual(['10.7.0.53 refers to other servers'])
  })

  it('whose port is closed gives way at once', () => {
    const world = new DnsWorld(two)
    world.lookup('web1.corp', { family: 4 })
    world.resolver.handleFailure(last(world).exchange, 'ECONNREFUSED', world.now)
    expect(when(world)).toEqual(['10.7.0.53 0', '10.7.0.54 0'])
  })

  it('that nothing leads to gives way before anything is sent', () => {
    const world = new DnsWorld(two)
    world.broken.set('10.7.0.53', 'ENETUNREACH')
    const watched = world.lookup('web1.corp', { family: 4 })
    expect(when(world)).toEqual(['10.7.0.54 0'])
    world.serve(zone)
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
    world.broken.set('10.7.0.54', 'ENETUNREACH')
    const none = world.lookup('web2.corp')
    expect(none.ended).toBe(true)
    expect(reasons(none)).toEqual(['10.7.0.53 ENETUNREACH', '10.7.0.54 ENETUNREACH'])
    expect(world.resolver.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
  })

  it('whose TCP is silent is left for the next in five seconds', () => {
    const world = new DnsWorld(two)
    const watched = world.lookup('web1.corp', { family: 4 })
    world.reply(last(world), { ...replyTo(last(world).query), flags: 0x8200 })
    world.pass(5000)
    expect(world.log).toEqual(['10.7.0.53 udp a web1.corp', '10.7.0.53 tcp a web1.corp', '10.7.0.54 udp a web1.corp'])
    expect(world.sent[1]?.open).toBe(false)
    world.serve(zone)
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
  })

  it('of many: so many are asked, in the time of a lookup', () => {
    const servers = Array.from({ length: 20 }, (_, i) => `10.7.1.${i}`)
    const world = new DnsWorld({ servers })
    const watched = world.lookup('web1.corp', { family: 4 })
    world.pass(60_000)
    expect(watched.endedAt).toBe(15_000)
    expect(new Set(world.sent.map(({ server }) => server)).size).toBe(8)
    expect(reasons(watched)).toHaveLength(8)
  })
})

describe('names of different domains', () => {
  it('are asked of their own servers', () => {
    const world = new DnsWorld({ routes: { 'corp.example': ['10.7.0.60'] } })
    for (const name of ['db.corp.example', 'db.example']) world.lookup(name, { family: 4 })
    expect(world.log).toEqual(['10.7.0.60 udp a db.corp.example', '10.7.0.53 udp a db.example'])
  })

  it('are asked of nobody where no server is theirs', () => {
    const world = new DnsWorld({ servers: [], routes: { corp: ['10.7.0.60'] }, search: ['corp'] })
    expect(world.resolver.serversOf('db.example.').map(formatAddress)).toEqual([])
    expect(world.resolver.serversOf('db').map(formatAddress)).toEqual(['10.7.0.60'])
    expect(world.resolver.serversOf('a..b')).toEqual([])
    world.lookup('db')
    world.serve({})
    expect(world.log).toEqual(['10.7.0.60 udp aaaa db.corp', '10.7.0.60 udp a db.corp'])
  })
})

describe('search domains', () => {
  const search = ['corp', 'lan']
  const both: Zone = { 'web1.lan': { a: ['10.7.0.3'] }, web1: { a: ['10.9.9.9'] } }

  it('are tried in order, and the first that has an address of either family is the one', () => {
    const world = new DnsWorld({ search })
    const watched = world.lookup('web1')
    world.serve({ ...both, 'web1.corp': {} })
    expect(watched.found).toEqual({ 6: [], 4: ['10.7.0.3'] })
    expect(world.sent.map(({ asks }) => asks)).toEqual(['aaaa web1.corp', 'a web1.corp', 'aaaa web1.lan', 'a web1.lan'])
  })

  it('end with all that was asked, and whether any of it exists', () => {
    const world = new DnsWorld({ search })
    const none = world.lookup('db')
    world.serve({})
    expect(none.failure).toMatchObject({ kind: 'unknown', exists: false, asked: ['db.corp', 'db.lan', 'db'] })
    const some = world.lookup('db2')
    world.serve({ 'db2.corp': {} })
    expect(some.failure).toMatchObject({ kind: 'unknown', exists: true })
  })

  it('are not gone through beyond one whose server was silent: what is found must not be a matter of luck', () => {
    const world = new DnsWorld({ search })
    const watched = world.lookup('web1')
    world.pass(14_000)
    expect(watched.failure).toMatchObject({ kind: 'failed', name: 'web1.corp' })
    expect(world.sent.every(({ asks }) => asks.endsWith('web1.corp'))).toBe(true)
  })

  it('are gone through beyond one that every server fails at, which is told if nothing is found', () => {
    const world = new DnsWorld({ search })
    const fail = () => {
      for (const to of world.open) code(world, to, 2)
    }
    const watched = world.lookup('web1')
    fail()
    world.serve(both)
    expect(watched.found[4]).toEqual(['10.7.0.3'])
    const none = world.lookup('db')
    fail()
    world.serve({})
    expect(none.failure).toMatchObject({ kind: 'failed', name: 'db.corp' })
  })

  it('have said that there is none, even if the word alone is refused', () => {
    const world = new DnsWorld({ search })
    const watched = world.lookup('db')
    world.serve({}, ({ asks }) => asks.includes('.'))
    for (const to of world.open) code(world, to, 5)
    expect(watched.failure).toMatchObject({ kind: 'unknown', asked: ['db.corp', 'db.lan', 'db'] })
  })

  it('count one that does not exist as passed, even if a server fails at the other family', () => {
    const world = new DnsWorld({ search })
    const watched = world.lookup('web1')
    code(world, world.open[0] as Sent, 2)
    world.serve(both)
    expect(watched.found).toEqual({ 6: [], 4: ['10.7.0.3'] })
    const none = world.lookup('db')
    code(world, world.open[0] as Sent, 2)
    world.serve(both)
    expect(none.failure?.kind).toBe('unknown')
  })

  it('that were found in one family wait for the other of the same name alone', () => {
    const world = new DnsWorld({ search })
    const watched = world.lookup('web1')
    world.serve({ 'web1.corp': { a: ['10.7.0.1'] }, ...both }, ({ asks }) => asks.startsWith('a '))
    code(world, world.open[0] as Sent, 2)
    expect(watched).toMatchObject({ found: { 4: ['10.7.0.1'], 6: [] }, ended: true, failure: undefined })
    expect(world.sent.every(({ asks }) => asks.endsWith('web1.corp'))).toBe(true)
  })

  it('are so many and no more', () => {
    const world = new DnsWorld({ search: Array.from({ length: 30 }, (_, i) => `d${i}`) })
    const watched = world.lookup('web1', { family: 4 })
    world.serve({})
    expect(watched.failure).toMatchObject({ asked: { length: 9 } })
  })

  it('from what was kept need no question', () => {
    const world = new DnsWorld({ search })
    world.lookup('web1')
    world.serve(both)
    const asked = world.sent.length
    expect(world.lookup('web1')).toMatchObject({ found: { 4: ['10.7.0.3'], 6: [] }, ended: true })
    expect(world.sent).toHaveLength(asked)
  })
})
