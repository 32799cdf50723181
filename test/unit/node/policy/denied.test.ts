// What a person reads when a dial was refused: who, whom, on what, and the rule that is missing as it could be written.
import { describe, expect, it } from 'vitest'
import type { FlowReport } from '../../../../src/core/host/flow-policy.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import { explainDenied } from '../../../../src/node/policy/denied.js'
import { ip, node } from '../../../support/gated-stack.js'

const refused: FlowReport = {
  decision: 'denied',
  outbound: true,
  protocol: 6,
  source: ip('10.7.0.2'),
  sourcePort: 40000,
  destination: ip('10.7.0.1'),
  destinationPort: 5432,
  sourceNode: node('ci1', 2, ['10.7.0.2'], ['tag:ci']),
  destinationNode: node('web1', 1, ['10.7.0.1'], ['tag:web']),
  rule: undefined,
  refusal: 'no-rule',
  sent: 0,
  received: 0,
  duration: 0,
  count: 1,
}
const target = { address: ip('10.7.0.1'), port: 5432 }

function say(change: Partial<FlowReport> = {}, to = target): string {
  const error = explainDenied(to, { ...refused, ...change }, 'policy.hujson')
  expect(error.code).toBe('POLICY_DENIED')
  return error.message
}

describe('a refused dial', () => {
  it('names both ends and the missing rule', () => {
    expect(say()).toBe(
      'policy.hujson does not let ci1 (tag:ci, 10.7.0.2) reach web1 (tag:web, 10.7.0.1) on tcp:5432: no rule allows it; ' +
        'this one in "grants" would: {"src":["tag:ci"],"dst":["tag:web"],"ip":["tcp:5432"]}',
    )
    expect(say({}, { address: ip('::ffff:10.7.0.1'), port: 5432 })).toContain('no rule allows it')
  })

  it('names users and addresses where there are no tags, and ping', () => {
    const sourceNode = node('laptop', 2, ['10.7.0.2'], [], { user: 'alice@example.com' })
    expect(say({ sourceNode, destinationNode: undefined })).toMatch(
      /let laptop \(10\.7\.0\.2\) reach 10\.7\.0\.1 on .*{"src":\["alice@example.com"\],"dst":\["10.7.0.1"\],"ip":\["tcp:5432"\]}$/,
    )
    const ping = say({ protocol: 1, sourcePort: 0, destinationPort: 0 }, { address: ip('10.7.0.1'), port: 0 })
    expect(ping).toContain('on icmp:*')
    expect(say({ protocol: 58, sourcePort: 0, destinationPort: 0 })).toContain('"ip":["ipv6-icmp:*"]')
  })

  it('shows rules that a policy file takes', () => {
    for (const change of [
      {},
      { protocol: 17 },
      { protocol: 1, destinationPort: 0 },
      { protocol: 58, destinationPort: 0 },
    ]) {
      const [, rule] = /would: (.*)$/.exec(say(change)) ?? []
      const text = `{ "tagOwners": { "tag:ci": [], "tag:web": [] }, "grants": [${rule}] }`
      expect(parsePolicy(text).diagnostics).toEqual([])
    }
  })

  it('says so where another rule would not help', () => {
    expect(say({ refusal: 'expired' })).toMatch(/expired in the netmap: renew its expiry there$/)
    expect(say({ refusal: 'route' })).toMatch(/correct AllowedIPs, or give that peer the route in the netmap$/)
    expect(say({ sourceNode: undefined })).toMatch(/own address 10\.7\.0\.2 is no node's in the netmap: add it there$/)
  })

  it('that the other side refused says that, whatever was refused here before', () => {
    const other = { address: ip('fd07::1'), port: 22 }
    for (const last of [undefined, refused]) {
      expect(explainDenied(other, last, 'policy.hujson').message).toMatch(
        /^\[fd07::1\]:22 is prohibited by the other side/,
      )
    }
    expect(explainDenied({ ...other, port: 0 }, undefined, '').message).toMatch(/^fd07::1 is prohibited/)
  })
})
