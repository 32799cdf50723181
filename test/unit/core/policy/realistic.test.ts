// Five files as teams have them, with all sections between them: the warnings that each gives, no more, and its own tests.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import { runPolicyTests } from '../../../../src/core/policy/tests.js'

const read = (name: string) => readFileSync(join(import.meta.dirname, 'files', `${name}.hujson`), 'utf8')

/** Line, code and the thing of each warning. */
const expected: Record<string, { warnings: string[]; outcomes: string[] }> = {
  startup: {
    warnings: [
      '21 no-effect "posture:linux"',
      '35 no-effect ssh',
      '38 no-effect nodeAttrs',
      '39 no-effect autoApprovers',
    ],
    outcomes: ['passed', 'passed', 'passed', 'passed', 'passed', 'not-run'],
  },
  legacy: {
    warnings: [
      '20 no-effect ssh',
      '21 no-effect derpMap',
      '22 no-effect OneCGNATRoute',
      '23 no-effect disableIPv4',
      '24 no-effect randomizeClientPort',
    ],
    outcomes: ['passed', 'passed', 'passed'],
  },
  enterprise: {
    warnings: [
      '18 no-effect "posture:retired"',
      '21 not-evaluated srcPosture',
      '22 needs-netmap "group:platform@example.com"',
      '23 needs-netmap "autogroup:admin"',
      '24 not-evaluated via',
      '30 no-effect app',
      '32 not-evaluated "svc:registry"',
      '33 not-evaluated "autogroup:shared"',
    ],
    outcomes: ['passed', 'undecided', 'undecided', 'passed'],
  },
  homelab: {
    warnings: ['18 no-effect autoApprovers', '19 no-effect nodeAttrs', '20 no-effect randomizeClientPort'],
    outcomes: ['passed', 'passed', 'passed', 'passed'],
  },
  deploy: {
    warnings: ['16 not-evaluated srcPosture', '24 no-effect ssh', '25 no-effect nodeAttrs', '26 no-effect derpMap'],
    outcomes: ['passed', 'passed', 'passed', 'undecided', 'passed', 'not-run'],
  },
}

describe('a realistic file', () => {
  it.each(Object.keys(expected))('loads with exactly the expected warnings: %s.hujson (P-realistic)', name => {
    const { diagnostics } = parsePolicy(read(name))
    const said = diagnostics.map(({ line, code, message }) => `${line} ${code} ${message.split(' ')[0]}`)
    expect(said).toEqual(expected[name]?.warnings)
    expect(diagnostics.every(({ severity }) => severity === 'warning')).toBe(true)
  })

  it.each(Object.keys(expected))('has tests that come out as in CI, without a netmap: %s.hujson', name => {
    expect(runPolicyTests(parsePolicy(read(name))).map(({ outcome }) => outcome)).toEqual(expected[name]?.outcomes)
  })
})
