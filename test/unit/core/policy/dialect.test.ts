// The rows of docs/conformance/policy.json: what each says is accepted is, and what it says is refused is not.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Netmap } from '../../../../src/core/policy/netmap.js'
import { hasErrors, parsePolicy } from '../../../../src/core/policy/policy.js'
import { runPolicyTests } from '../../../../src/core/policy/tests.js'
import { allows, file, network } from './support.js'

/** One of `acl`, `grant`, `test` and `file`; with sections beside it, and what the netmap gives. */
interface Case {
  readonly acl?: object
  readonly grant?: object
  readonly test?: object
  readonly file?: object
  readonly with?: object
  readonly netmap?: { readonly roles?: Record<string, string[]>; readonly groups?: Record<string, string[]> }
  /** `laptop > web1:443`, `laptop > web1:0/47`. */
  readonly flow?: string
  /** Code of an error that the file has. */
  readonly error?: string
}

interface Row {
  readonly id: string
  readonly accepted?: Case
  readonly refused?: readonly Case[]
}

const list = new URL('../../../../docs/conformance/policy.json', import.meta.url)
const rows: Row[] = JSON.parse(readFileSync(list, 'utf8')).lines

/** What the tests of the cases are asked of. */
const tested = [
  { action: 'accept', src: ['tag:ci'], dst: ['tag:web:22,443'] },
  { action: 'accept', src: ['group:eng'], dst: ['tag:web:443', 'vault:22'], proto: 'tcp' },
  { action: 'accept', src: ['bob@example.com'], dst: ['tag:db:5432'] },
]

function textOf({ acl, grant, test, file: whole, with: more }: Case): string {
  if (acl !== undefined) return file({ acls: [{ action: 'accept', ...acl }], ...more })
  if (grant !== undefined) return file({ grants: [grant], ...more })
  return test === undefined ? file({ ...whole, ...more }) : file({ acls: tested, tests: [test], ...more })
}

function netmapOf({ netmap }: Case): Netmap {
  const roles = netmap?.roles ?? {}
  const nodes = network.nodes.map(each => (roles[each.name] ? { ...each, roles: roles[each.name] as string[] } : each))
  return { nodes, ...(netmap?.groups === undefined ? {} : { groups: netmap.groups }) }
}

/** `accepted`, or why it is not: codes of errors, an outcome, a flow that is denied. */
function verdict(each: Case): string {
  const document = parsePolicy(textOf(each))
  if (hasErrors(document)) {
    const errors = document.diagnostics.filter(({ severity }) => severity === 'error')
    return [...new Set(errors.map(({ code }) => code))].join()
  }
  if (each.test !== undefined) {
    const outcome = runPolicyTests(document, each.netmap && netmapOf(each))[0]?.outcome
    return outcome === 'passed' ? 'accepted' : `test ${outcome}`
  }
  if (each.flow === undefined) return 'accepted'
  const [from = '', to = ''] = each.flow.split(' > ')
  return allows(textOf(each), from, to, netmapOf(each)) ? 'accepted' : 'denied'
}

describe('the tables of the dialect', () => {
  const accepted = rows.flatMap(({ id, accepted: each }) => (each === undefined ? [] : [{ id, each }]))
  it.each(accepted)('$id accepts $each', ({ each }) => {
    expect(verdict(each)).toBe('accepted')
  })

  const refused = rows.flatMap(({ id, refused: cases }) => (cases ?? []).map(each => ({ id, each })))
  it.each(refused)('$id refuses $each', ({ each }) => {
    const expected =
      each.error ?? (each.test === undefined ? 'denied' : expect.stringMatching(/^test (failed|undecided)$/))
    expect(verdict(each)).toEqual(expected)
  })
})
