// What docs/policy.md shows is read as it stands there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseNetmap } from '../../../../src/core/policy/netmap-file.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import { runPolicyTests } from '../../../../src/core/policy/tests.js'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/policy.md'), 'utf8')

function blocks(language: string): string[] {
  return Array.from(page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm')), match => match[1] as string)
}

describe('docs/policy.md', () => {
  it('shows a policy that is one, and whose tests pass', () => {
    const document = parsePolicy(blocks('jsonc')[0] as string)
    expect(document.diagnostics).toEqual([])
    expect(runPolicyTests(document).map(({ outcome }) => outcome)).toEqual(['passed'])
  })

  it('shows what policy suggest prints as a policy would take it', () => {
    const grants = (blocks('jsonc')[1] as string).replace(
      '"grants"',
      '"tagOwners": { "tag:ci": [], "tag:web": [] }, "grants"',
    )
    expect(parsePolicy(grants).diagnostics).toEqual([])
  })

  it('shows a netmap that is one, keys aside', () => {
    const [text] = blocks('json')
    const { diagnostics, netmap } = parseNetmap((text as string).replaceAll('"…"', `"${'A'.repeat(43)}="`))
    expect(diagnostics).toEqual([])
    expect(netmap.nodes).toHaveLength(3)
  })
})
