import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ConnectionEntry, entryOfFlow } from '../../../../src/app/observe/connection-log.js'
import { mostFlows, RefusedFlows } from '../../../../src/app/policy/refused-flows.js'
import { suggestRules } from '../../../../src/app/policy/suggestions.js'
import { explain } from '../../../../src/core/policy/explain.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import type { FlowEnd, FlowInfo } from '../../../../src/node/policy/flow-info.js'

const ci: FlowEnd = { address: '10.7.0.2', port: 40_000, node: 'runner', tags: ['tag:ci'] }
const web1: FlowEnd = { address: '10.7.0.3', port: 443, node: 'web1', tags: ['tag:web'] }
const web2: FlowEnd = { address: 'fd07::4', port: 443, node: 'web2', tags: ['tag:web'] }
const db: FlowEnd = { address: '10.7.0.9', port: 5432, node: 'db1', tags: ['tag:db', 'tag:prod'] }
const alice: FlowEnd = { address: '10.7.0.20', port: 50_000, node: 'laptop', tags: [], user: 'alice@example.com' }
const behind: FlowEnd = { address: '192.168.4.7', port: 631, tags: [] }

/** A line of the log, as it is written. */
function line(source: FlowEnd, destination: FlowEnd, more: Partial<FlowInfo> = {}): string {
  const flow: FlowInfo = {
    decision: 'reported',
    direction: 'out',
    protocol: 'tcp',
    source,
    destination,
    refusal: 'no-rule',
    bytesSent: 1,
    bytesReceived: 2,
    duration: 3,
    count: 1,
    ...more,
  }
  return JSON.stringify(entryOfFlow(flow, undefined, new Date('2026-01-02T03:04:05Z')))
}

function suggested(...lines: string[]) {
  const refused = new RefusedFlows()
  for (const each of lines) refused.add(each)
  return suggestRules(refused.flows.values()).map(({ src, dst, ip }) => ({ src, dst, ip }))
}

describe('rules from refused flows', () => {
  it('go from tag to tag, one rule for all ports and nodes of the two', () => {
    expect(suggested(line(ci, web1), line(ci, web2), line(ci, { ...web1, port: 22 }), line(ci, web1))).toEqual([
      { src: ['tag:ci'], dst: ['tag:web'], ip: ['tcp:22', 'tcp:443'] },
    ])
  })

  it('name a user where there is no tag, and an address where there is neither', () => {
    expect(suggested(line(alice, { ...behind, port: 631 }, { protocol: 'udp' }))).toEqual([
      { src: ['alice@example.com'], dst: ['192.168.4.7'], ip: ['udp:631'] },
    ])
  })

  it('take the tag of the fewest nodes', () => {
    const prod = (end: FlowEnd) => ({ ...end, tags: ['tag:prod', ...end.tags] })
    expect(suggested(line(ci, db), line(ci, prod(web1)), line(ci, prod(web2)))).toEqual([
      { src: ['tag:ci'], dst: ['tag:web'], ip: ['tcp:443'] },
      { src: ['tag:ci'], dst: ['tag:db'], ip: ['tcp:5432'] },
    ])
  })

  it('are joined only where every source may reach every destination on every port', () => {
    const other = { ...db, tags: ['tag:db'], port: 443 }
    expect(suggested(line(ci, web1), line(ci, other), line(alice, web1), line(alice, other))).toEqual([
      { src: ['alice@example.com', 'tag:ci'], dst: ['tag:db', 'tag:web'], ip: ['tcp:443'] },
    ])
    expect(suggested(line(ci, web1), line(alice, other))).toHaveLength(2)
  })

  it('leave ping out where another rule brings it along, and else allow it alone', () => {
    const ping = line(ci, { ...web1, port: 0 }, { protocol: 'icmp' })
    expect(suggested(ping, line(ci, web1))).toEqual([{ src: ['tag:ci'], dst: ['tag:web'], ip: ['tcp:443'] }])
    expect(suggested(ping)).toEqual([{ src: ['tag:ci'], dst: ['tag:web'], ip: ['icmp:*'] }])
    expect(suggested(line(ci, { ...web1, port: 0 }, { protocol: '47' }))).toEqual([
      { src: ['tag:ci'], dst: ['tag:web'], ip: ['47:*'] },
    ])
  })

  it('come from what was denied or cut as well, counted, with who was seen, the most wanted first', () => {
    const refused = new RefusedFlows()
    refused.add(line(ci, web1))
    refused.add(line(ci, db, { decision: 'denied', count: 7 }))
    refused.add(line(ci, db, { decision: 'cut' }))
    expect(suggestRules(refused.flows.values())).toEqual([
      expect.objectContaining({ dst: ['tag:db'], count: 8, last: '2026-01-02T03:04:05.000Z', seen: ['runner to db1'] }),
      expect.objectContaining({ dst: ['tag:web'], count: 1, seen: ['runner to web1'] }),
    ])
  })

  it('use the name of a host', () => {
    const refused = new RefusedFlows()
    refused.add(line(ci, behind))
    const nameOf = (address: string) => (address === '192.168.4.7' ? 'printer' : undefined)
    expect(suggestRules(refused.flows.values(), nameOf)[0]).toMatchObject({ dst: ['printer'] })
  })
})

describe('a policy of suggestions', () => {
  const names = ['tag:a', 'tag:b', 'tag:c', 'tag:d']
  const ports = [22, 80, 443]
  const every = names.flatMap(from => names.flatMap(to => ports.map(port => ({ from, to, port }))))

  it('allows what was refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(every.length - 1), { maxLength: 24 }), indexes => {
        const wanted = new Set(indexes)
        const refused = new RefusedFlows()
        for (const index of wanted) {
          const { from, to, port } = every[index] as (typeof every)[number]
          const end = (tag: string) => ({ address: `10.0.0.${names.indexOf(tag) + 1}`, port, tags: [tag], node: tag })
          refused.add(line(end(from), end(to)))
        }
        const grants = suggestRules(refused.flows.values()).map(({ src, dst, ip }) => ({ src, dst, ip }))
        const tagOwners = Object.fromEntries(names.map(name => [name, []]))
        const document = parsePolicy(JSON.stringify({ tagOwners, grants }))
        expect(document.diagnostics).toEqual([])
        for (const [index, { from, to, port }] of every.entries()) {
          const { outcome } = explain(document, undefined, from, `${to}:${port}`, 'tcp')
          expect(outcome).toBe(wanted.has(index) ? 'allowed' : 'denied')
        }
      }),
    )
  })
})

describe('a log', () => {
  it('is read for refusals alone: what is allowed, or refused for another reason, makes no rule', () => {
    const refused = new RefusedFlows()
    const connection: Partial<ConnectionEntry> = { way: 'socks5', result: 'done', flow: null }
    refused.add(JSON.stringify(connection))
    refused.add(line(ci, web1, { decision: 'denied', refusal: 'source' }))
    refused.add(line(ci, web1, { decision: 'cut', refusal: 'expired' }))
    const { refusal: _, ...allowed } = JSON.parse(line(ci, web1))
    refused.add(JSON.stringify({ ...allowed, result: 'allowed' }))
    expect([...refused.flows]).toEqual([])
    expect(refused.skipped).toEqual({ otherRefusals: 2, otherEntries: 1, unreadable: 0, tooMany: 0 })
  })

  it('may have lines of anything else, which are counted', () => {
    const refused = new RefusedFlows()
    const odd = ['tunless: up', '{', '[]', 'null', `{"x":"${'a'.repeat(70_000)}"}`, '', '  ']
    const entry = JSON.parse(line(ci, web1))
    const wrong = [
      { ...entry, client: 7 },
      { ...entry, target: 'web1:443' },
      { ...entry, target: '10.7.0.3:70000' },
      { ...entry, protocol: '"], "dst": ["*' },
    ]
    for (const each of [...odd, ...wrong.map(each => JSON.stringify(each))]) refused.add(each)
    refused.add(`\ufeff${line(ci, web1)}\r`)
    expect(refused.skipped.unreadable).toBe(9)
    expect(refused.flows.size).toBe(1)
  })

  it('of a scan is bounded', () => {
    const refused = new RefusedFlows()
    for (let i = 0; i < mostFlows + 5; i++)
      refused.add(line(ci, { ...behind, port: 1 + (i % 60_000), address: `10.0.${i >> 14}.1` }))
    expect([refused.flows.size, refused.skipped.tooMany]).toEqual([mostFlows, 5])
  })
})
