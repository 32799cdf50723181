import { describe, expect, it } from 'vitest'
import { createDialLog } from '../../../src/app/dial-log.js'
import { TunnelError } from '../../../src/errors.js'

function create() {
  const lines: string[] = []
  const say = (line: string) => void lines.push(line)
  const clock = { now: 0 }
  const failed = createDialLog({ error: say, warn: say, info: say, debug: () => {} }, 20_000, () => clock.now)
  return { lines, clock, failed }
}

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })

describe('failed dials', () => {
  it('are said with target, cause and remedy', () => {
    const { lines, failed } = create()
    failed(refused, { host: 'db', port: 5432 })
    failed(new TunnelError('TUNNEL_CLOSED', 'the tunnel is closed'), { host: 'fd07::1', port: 1 })
    expect(lines).toEqual([
      'db:5432 refused the connection: check that the service runs and listens there',
      '[fd07::1]:1: the tunnel is closed',
    ])
  })

  it('are said once in ten seconds each, and then how often they came', () => {
    const { lines, clock, failed } = create()
    for (clock.now = 0; clock.now < 10_000; clock.now += 1000) failed(refused, { host: 'db', port: 5432 })
    failed(refused, { host: 'web1', port: 80 })
    failed(refused, { host: 'db', port: 5432 })
    expect(lines).toHaveLength(3)
    expect(lines[2]).toMatch(/^db:5432 refused .*\(and 9 times more before\)$/)
  })

  it('of thousands of targets fill neither memory nor disk', () => {
    const { lines, clock, failed } = create()
    for (let port = 1; port <= 1000; port++) failed(refused, { host: 'db', port })
    expect(lines).toHaveLength(100)
    clock.now = 10_000
    failed(refused, { host: 'db', port: 1001 })
    expect(lines.slice(100)).toEqual(['900 more failures were not said', expect.stringMatching(/^db:1001 refused/)])
  })
})
