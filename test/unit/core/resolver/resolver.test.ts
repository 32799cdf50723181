// Lookups in virtual time: what is asked of whom, when, and what comes of it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dnsFlag, dnsType, serialiseDns } from '../../../../src/core/wire/dns.js'
import { addressRecord, aliasRecord, replyTo, soaRecord, type Zone } from '../../../support/dns.js'
import { DnsWorld, type Sent } from '../../../support/dns-world.js'

const zone: Zone = {
  'web1.corp': { a: ['10.7.0.3'], aaaa: ['fd07::3'] },
  'old.corp': { a: ['10.7.0.4', '10.7.0.5'] },
  'mail.corp': {},
}
const answered = (to: Sent, ...addresses: string[]) => {
  const name = to.query.questions[0]?.name as string
  return replyTo(to.query, { answers: addresses.map(address => addressRecord(name, address)) })
}
const first = (world: DnsWorld) => world.open[0] as Sent
const last = (world: DnsWorld) => world.sent.at(-1) as Sent

describe('a lookup', () => {
  it('asks for both families, wants recursion, and takes 1232 bytes', () => {
    const world = new DnsWorld()
    world.lookup('web1.corp')
    expect(world.log).toEqual(['10.7.0.53 udp aaaa web1.corp', '10.7.0.53 udp a web1.corp'])
    const { flags, questions, additionals } = first(world).query
    expect(flags).toBe(dnsFlag.recursionDesired)
    expect(questions).toEqual([{ name: 'web1.corp', type: dnsType.aaaa, class: 1 }])
    expect(additionals).toMatchObject([{ type: dnsType.opt, class: 1232, ttl: 0 }])
  })

  it('tells each family as it comes, then the end, and wants no more', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp')
    world.serve(zone, ({ asks }) => asks.startsWith('a '))
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
    expect(watched.ended).toBe(false)
    world.serve(zone)
    expect(watched).toMatchObject({ found: { 6: ['fd07::3'] }, families: [4, 6], ended: true, failure: undefined })
    expect(world.open).toEqual([])
    expect(world.resolver.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
  })

  it('tells that a family has nothing once the other has something', () => {
    const world = new DnsWorld()
    const watched = world.lookup('old.corp')
    world.serve(zone, ({ asks }) => asks.startsWith('aaaa'))
    expect(watched.families).toEqual([])
    world.serve(zone)
    expect(watched).toMatchObject({ found: { 6: [], 4: ['10.7.0.4', '10.7.0.5'] }, families: [6, 4], ended: true })
  })

  it('does not wait long for a family whose questions are let drop', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp')
    world.pass(500)
    world.serve(zone, ({ asks }) => asks.startsWith('a '))
    world.pass(20_000)
    expect(watched).toMatchObject({ found: { 4: ['10.7.0.3'], 6: [] }, endedAt: 2500, failure: undefined })
    expect(world.open).toEqual([])
  })

  it('asks for one family where one is wanted', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp', { family: 4 })
    expect(world.log).toEqual(['10.7.0.53 udp a web1.corp'])
    world.serve(zone)
    expect(watched).toMatchObject({ found: { 4: ['10.7.0.3'] }, ended: true })
  })

  it('has an id of its own for each query', () => {
    const world = new DnsWorld({ limits: { questions: 1000 } })
    for (let i = 0; i < 200; i++) world.lookup(`web${i}.corp`)
    expect(new Set(world.sent.map(({ query }) => query.id)).size).toBeGreaterThan(390)
  })

  it('of a name that does not exist ends with whom and what was asked', () => {
    const world = new DnsWorld()
    const watched = world.lookup('none.corp')
    world.serve(zone)
    expect(watched.failure).toMatchObject({ kind: 'unknown', exists: false, asked: ['none.corp'] })
    const nothing = world.lookup('mail.corp')
    world.serve(zone)
    expect(nothing.failure).toMatchObject({ kind: 'unknown', exists: true })
  })

  it('that is cancelled asks no more and tells nothing', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp')
    const [sent] = world.sent as [Sent]
    watched.cancel()
    expect(world.open).toEqual([])
    world.reply(sent, answered(sent, 'fd07::3'))
    world.pass(60_000)
    expect(watched).toMatchObject({ found: {}, ended: false })
    expect(world.log).toHaveLength(2)
    expect(world.resolver.size).toEqual({ cached: 0, questions: 0 })
  })

  it('ends in its time, with what one family has, or with who was silent', () => {
    const world = new DnsWorld()
    const half = world.lookup('web1.corp', { timeout: 1000 })
    world.serve(zone, ({ asks }) => asks.startsWith('a '))
    world.pass(1000)
    expect(half).toMatchObject({ found: { 4: ['10.7.0.3'], 6: [] }, endedAt: 1000, failure: undefined })
    const none = world.lookup('db.corp', { timeout: 500 })
    world.pass(1000)
    expect(none).toMatchObject({ endedAt: 1500, failure: { kind: 'failed', failures: [{ reason: 'silent' }] } })
    expect(world.open).toEqual([])
  })
})

describe('an answer', () => {
  const wrong: [string, (to: Sent) => Uint8Array][] = [
    ['with another id', to => serialiseDns({ ...answered(to, '10.9.9.9'), id: to.query.id ^ 1 })],
    ['that is a query', to => serialiseDns({ ...answered(to, '10.9.9.9'), flags: dnsFlag.recursionDesired })],
    ['to another opcode', to => serialiseDns({ ...answered(to, '10.9.9.9'), flags: dnsFlag.response | (1 << 11) })],
    [
      'to another name',
      to => serialiseDns({ ...answered(to, '10.9.9.9'), questions: [{ name: 'evil.corp', type: 1, class: 1 }] }),
    ],
    [
      'to another type',
      to => serialiseDns({ ...answered(to, '10.9.9.9'), questions: [{ name: 'web1.corp', type: 28, class: 1 }] }),
    ],
    [
      'of another class',
      to => serialiseDns({ ...answered(to, '10.9.9.9'), questions: [{ name: 'web1.corp', type: 1, class: 3 }] }),
    ],
    ['without the question', to => serialiseDns({ ...answered(to, '10.9.9.9'), questions: [] })],
    [
      'to two questions',
      to => serialiseDns({ ...answered(to, '10.9.9.9'), questions: [...to.query.questions, ...to.query.questions] }),
    ],
    ['that is no message', () => Uint8Array.of(1, 2, 3)],
  ]
  it.each(wrong)('%s is dropped, and the right one counts', (_, forge) => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp', { family: 4 })
    const to = first(world)
    world.reply(to, forge(to))
    expect(watched.ended).toBe(false)
    const { malformed, mismatched, answers } = world.resolver.counters
    expect([malformed + mismatched, answers]).toEqual([1, 0])
    world.reply(to, answered(to, '10.7.0.3'))
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
    expect(world.log).toHaveLength(1)
  })

  it('that was guessed at too often is asked for over TCP', () => {
    const world = new DnsWorld({ limits: { wrongAnswers: 8 } })
    const watched = world.lookup('web1.corp', { family: 4 })
    const to = first(world)
    for (let i = 1; i <= 8; i++) world.reply(to, { ...answered(to, '10.9.9.9'), id: (to.query.id + i) & 0xffff })
    expect(world.log).toEqual(['10.7.0.53 udp a web1.corp', '10.7.0.53 tcp a web1.corp'])
    expect(to.open).toBe(false)
    world.reply(to, answered(to, '10.9.9.9'))
    expect(watched.ended).toBe(false)
    world.serve(zone)
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
  })

  it('ignores records of other names and types beside it', () => {
    const world = new DnsWorld()
    const watched = world.lookup('web1.corp', { family: 4 })
    const to = first(world)
    const answers = [
      addressRecord('evil.corp', '10.9.9.9'),
      addressRecord('web1.corp', 'fd07::3'),
      addressRecord('web1.corp', '10.7.0.3'),
    ]
    world.reply(to, replyTo(to.query, { answers }))
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
    world.lookup('evil.corp', { family: 4 })
    expect(world.log.at(-1)).toBe('10.7.0.53 udp a evil.corp')
  })

  it('that was truncated is asked for over TCP, of the same server, and what UDP had does not count', () => {
    const world = new DnsWorld({ servers: ['10.7.0.53', '10.7.0.54'] })
    const watched = world.lookup('old.corp', { family: 4 })
    const to = first(world)
    world.reply(to, { ...answered(to, '10.7.0.4'), flags: dnsFlag.response | dnsFlag.truncated })
    expect(watched.ended).toBe(false)
    expect(world.log).toEqual(['10.7.0.53 udp a old.corp', '10.7.0.53 tcp a old.corp'])
    expect(last(world).query.id).not.toBe(to.query.id)
    world.serve(zone)
    expect(watched.found).toEqual({ 4: ['10.7.0.4', '10.7.0.5'] })
  })

  it('that is truncated over TCP, or something else, leads to the next server', () => {
    const world = new DnsWorld({ servers: ['10.7.0.53', '10.7.0.54', '10.7.0.55'] })
    const watched = world.lookup('old.corp', { family: 4 })
    const truncated = (to: Sent) => ({ ...answered(to), flags: dnsFlag.response | dnsFlag.truncated })
    world.reply(last(world), truncated(last(world)))
    world.reply(last(world), truncated(last(world)))
    expect(world.log.at(-1)).toBe('10.7.0.54 udp a old.corp')
    world.reply(last(world), truncated(last(world)))
    world.reply(last(world), Uint8Array.of(0))
    expect(world.log.at(-1)).toBe('10.7.0.55 udp a old.corp')
    world.serve(zone)
    expect(watched.found).toEqual({ 4: ['10.7.0.4', '10.7.0.5'] })
  })

  it('counts so many addresses and no more', () => {
    const world = new DnsWorld({ limits: { addresses: 2 } })
    const watched = world.lookup('many.corp', { family: 4 })
    world.reply(first(world), answered(first(world), '10.7.0.1', '10.7.0.2', '10.7.0.3'))
    expect(watched.found).toEqual({ 4: ['10.7.0.1', '10.7.0.2'] })
  })

  it('of any kind and in any bytes never throws, and lookups end', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.uint8Array({ maxLength: 80 })), fc.infiniteStream(fc.nat(7)), (noise, kinds) => {
        const world = new DnsWorld({ servers: ['10.7.0.53', '10.7.0.54'], search: ['corp', 'lan'] })
        const watched = ['web1', 'old.corp', 'x.'].map(name => world.lookup(name))
        for (let i = 0; i < 60 && world.open.length > 0; i++) {
          const to = world.open[i % world.open.length] as Sent
          const kind = kinds.next().value as number
          if (kind === 0) world.reply(to, noise.next().value as Uint8Array)
          else if (kind === 1) world.resolver.handleFailure(to.exchange, 'ECONNREFUSED', world.now)
          else if (kind === 2) world.pass(1000)
          else if (kind === 3) world.reply(to, { ...answered(to), flags: dnsFlag.response | dnsFlag.truncated })
          else if (kind === 4) world.reply(to, replyTo(to.query, { answers: [aliasRecord('web1.corp', 'x')] }))
          else world.reply(to, replyTo(to.query, {}, kind - 4))
        }
        world.pass(60_000)
        expect(watched.map(({ ended }) => ended)).toEqual([true, true, true])
        expect(world.open).toEqual([])
        expect(world.resolver.size.questions).toBe(0)
      }),
      { numRuns: 300 },
    )
  })
})

describe('what was answered', () => {
  const ask = (world: DnsWorld, name: string, serve: (to: Sent) => void) => {
    const before = world.sent.length
    const watched = world.lookup(name, { family: 4 })
    if (world.sent.length > before) serve(last(world))
    return { watched, wasAsked: world.sent.length > before }
  }
  const withTtl = (world: DnsWorld, ttl: number) => (to: Sent) =>
    world.reply(to, replyTo(to.query, { answers: [addressRecord('web1.corp', '10.7.0.3', ttl)] }))

  it('holds for its time, at once and without a question, and is asked for again after it', () => {
    const world = new DnsWorld()
    ask(world, 'web1.corp', withTtl(world, 60))
    world.pass(59_999)
    const again = ask(world, 'WEB1.corp.', withTtl(world, 60))
    expect(again.wasAsked).toBe(false)
    expect(again.watched).toMatchObject({ found: { 4: ['10.7.0.3'] }, ended: true })
    expect(world.resolver.counters.cacheHits).toBe(1)
    world.pass(1)
    expect(ask(world, 'web1.corp', withTtl(world, 60)).wasAsked).toBe(true)
  })

  it.each([
    ['0', 0, 0],
    ['more than an hour', 1_000_000, 3600],
    ['the highest bit (RFC 2181, 8)', 0x80000000, 0],
  ])('for a time of %s is kept as long as is right', (_, ttl, seconds) => {
    const world = new DnsWorld()
    ask(world, 'web1.corp', withTtl(world, ttl))
    world.pass(Math.max(0, seconds * 1000 - 1))
    expect(ask(world, 'web1.corp', withTtl(world, ttl)).wasAsked).toBe(seconds === 0)
    world.pass(1)
    expect(ask(world, 'web1.corp', withTtl(world, ttl)).wasAsked).toBe(true)
  })

  it('along an alias holds as long as the shortest of it', () => {
    const world = new DnsWorld()
    const answers = [aliasRecord('web1.corp', 'lb.corp', 5), addressRecord('lb.corp', '10.7.0.9', 60)]
    const serve = (to: Sent) => world.reply(to, replyTo(to.query, { answers }))
    ask(world, 'web1.corp', serve)
    world.pass(4_999)
    expect(ask(world, 'web1.corp', serve).wasAsked).toBe(false)
    world.pass(1)
    expect(ask(world, 'web1.corp', serve).wasAsked).toBe(true)
  })

  it.each([
    ['the time of the SOA', 20, 100, 20],
    ['its minimum', 100, 20, 20],
    ['no more than five minutes', 7200, 7200, 300],
  ])('with no such name holds for %s (RFC 2308, 5)', (_, ttl, minimum, seconds) => {
    const world = new DnsWorld()
    const serve = (to: Sent) =>
      world.reply(to, replyTo(to.query, { authorities: [soaRecord('corp', ttl, minimum)] }, 3))
    ask(world, 'none.corp', serve)
    world.pass(seconds * 1000 - 1)
    const again = ask(world, 'none.corp', serve)
    expect([again.wasAsked, again.watched.failure?.kind]).toEqual([false, 'unknown'])
    world.pass(1)
    expect(ask(world, 'none.corp', serve).wasAsked).toBe(true)
  })

  it('with nothing, and without an SOA, is not kept', () => {
    const world = new DnsWorld()
    for (const code of [0, 3]) {
      const serve = (to: Sent) => world.reply(to, replyTo(to.query, {}, code))
      expect(ask(world, `none${code}.corp`, serve).watched.failure).toMatchObject({
        kind: 'unknown',
        exists: code === 0,
      })
      expect(ask(world, `none${code}.corp`, serve).wasAsked).toBe(true)
    }
  })

  it('by no server is kept for a second (RFC 9520)', () => {
    const world = new DnsWorld()
    const serve = (to: Sent) => world.reply(to, replyTo(to.query, {}, 2))
    expect(ask(world, 'web1.corp', serve).watched.failure?.kind).toBe('failed')
    world.pass(999)
    expect(ask(world, 'web1.corp', serve).wasAsked).toBe(false)
    world.pass(1)
    expect(ask(world, 'web1.corp', serve).wasAsked).toBe(true)
  })

  it('makes room when there is too much of it: what was longest not asked for goes', () => {
    const world = new DnsWorld({ limits: { cacheEntries: 2 } })
    const serve = (to: Sent) => world.reply(to, answered(to, '10.7.0.3'))
    for (const name of ['a', 'b', 'a', 'c']) ask(world, name, serve)
    expect(world.resolver.size.cached).toBe(2)
    expect([ask(world, 'a', serve).wasAsked, ask(world, 'b', serve).wasAsked]).toEqual([false, true])
  })

  it('is forgotten with new settings, which hold from then on', () => {
    const world = new DnsWorld()
    ask(world, 'web1.corp', withTtl(world, 60))
    world.resolver.setSettings({ servers: [Uint8Array.of(10, 7, 0, 99)], search: [], routes: [] })
    expect(ask(world, 'web1.corp', withTtl(world, 60)).wasAsked).toBe(true)
    expect(last(world).server).toBe('10.7.0.99')
  })
})

describe('an alias', () => {
  it('is followed within the answer', () => {
    const world = new DnsWorld()
    const watched = world.lookup('www.corp', { family: 4 })
    world.serve({
      'www.corp': { alias: 'lb.corp' },
      'lb.corp': { alias: 'web1.corp' },
      'web1.corp': { a: ['10.7.0.3'] },
    })
    expect(watched.found).toEqual({ 4: ['10.7.0.3'] })
    expect(world.log).toHaveLength(1)
  })

  it('whose address the server does not say is asked for, of the servers of its own domain', () => {
    const world = new DnsWorld({ routes: { corp: ['10.7.0.53'], cloud: ['10.7.0.60'] }, servers: [] })
    const watched = world.lookup('www.corp', { family: 4 })
    const to = first(world)
    world.reply(to, replyTo(to.query, { answers: [aliasRecord('www.corp', 'lb.cloud')] }))
    expect(world.log).toEqual(['10.7.0.53 udp a www.corp', '10.7.0.60 udp a lb.cloud'])
    expect(to.open).toBe(false)
    world.serve({ 'lb.cloud': { a: ['10.8.0.1'], ttl: 600 } })
    expect(watched.found).toEqual({ 4: ['10.8.0.1'] })
    world.pass(59_999)
    expect(world.lookup('www.corp', { family: 4 }).ended).toBe(true)
    world.pass(1)
    expect(world.lookup('www.corp', { family: 4 }).ended).toBe(false)
  })

  it('to where no server is asked fails, and tells the alias', () => {
    const world = new DnsWorld({ routes: { corp: ['10.7.0.53'] }, servers: [] })
    const watched = world.lookup('www.corp', { family: 4 })
    const to = first(world)
    world.reply(to, replyTo(to.query, { answers: [aliasRecord('www.corp', 'lb.cloud')] }))
    expect(watched.failure).toEqual({ kind: 'failed', name: 'lb.cloud', failures: [] })
  })

  it.each([
    ['of itself', ['a', 'a']],
    ['of one another', ['a', 'b', 'a']],
    ['without an end', Array.from({ length: 40 }, (_, i) => `n${i}`)],
  ])('%s is no answer', (_, names) => {
    const world = new DnsWorld()
    const watched = world.lookup(names[0] as string, { family: 4 })
    const answers = names.slice(1).map((target, i) => aliasRecord(names[i] as string, target))
    const to = first(world)
    world.reply(to, replyTo(to.query, { answers }))
    expect(watched.failure).toMatchObject({ kind: 'failed', failures: [{ reason: 'too many aliases' }] })
  })

  it('that leads on and on, an answer each, ends too', () => {
    const world = new DnsWorld({ limits: { aliases: 12 } })
    const watched = world.lookup('n0', { family: 4 })
    for (let i = 0; i < 40 && !watched.ended; i++) {
      const to = last(world)
      world.reply(to, replyTo(to.query, { answers: [aliasRecord(`n${i}`, `n${i + 1}`)] }))
    }
    expect(watched.failure?.kind).toBe('failed')
    expect(world.sent).toHaveLength(13)
  })
})

describe('equal questions', () => {
  it('are asked once, and all are told', () => {
    const world = new DnsWorld()
    const all = Array.from({ length: 50 }, () => world.lookup('web1.corp'))
    expect(world.log).toHaveLength(2)
    all[0]?.cancel()
    world.serve(zone)
    expect(all.slice(1).every(({ found }) => found[4]?.[0] === '10.7.0.3' && found[6]?.[0] === 'fd07::3')).toBe(true)
    expect(all[0]?.ended).toBe(false)
  })

  it('too many different ones wait for their turn, and more are turned away', () => {
    const world = new DnsWorld({ limits: { questions: 2, waiting: 3 } })
    const all = Array.from({ length: 6 }, (_, i) => world.lookup(`web${i}.corp`, { family: 4 }))
    expect(world.log).toEqual(['10.7.0.53 udp a web0.corp', '10.7.0.53 udp a web1.corp'])
    expect(all[5]?.failure).toEqual({ kind: 'busy' })
    all[2]?.cancel()
    world.serve(zone)
    expect(world.log.slice(2)).toEqual(['10.7.0.53 udp a web3.corp', '10.7.0.53 udp a web4.corp'])
    expect(all.map(({ ended }) => ended)).toEqual([true, true, false, true, true, true])
    expect(world.resolver.size.questions).toBe(0)
  })
})
