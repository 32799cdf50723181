import { describe, expect, it } from 'vitest'
import { formatDiff } from '../../../../src/app/policy/markdown.js'

const change = { source: 'tag:ci', destination: 'tag:web', ports: ['tcp:22', 'tcp:443'] }

describe('a difference as Markdown', () => {
  it('is a table of who gains and one of who loses, with what could not be compared below', () => {
    const diff = {
      gains: [change],
      losses: [{ ...change, ports: ['*'] }],
      notes: ['the rule at line 3 is not *compared*'],
    }
    expect(formatDiff(diff, 'old.hujson', 'new.hujson')).toBe(`### Access: \`old.hujson\` to \`new.hujson\`

Access: 1 gained, 1 lost.

#### Gains

| Who | may now reach | on |
| --- | --- | --- |
| \`tag:ci\` | \`tag:web\` | \`tcp:22\`, \`tcp:443\` |

#### Losses

| Who | may no longer reach | on |
| --- | --- | --- |
| \`tag:ci\` | \`tag:web\` | \`*\` |

#### Not compared

- the rule at line 3 is not \\*compared\\*
`)
  })

  it('says that nobody gains or loses, and does not where it cannot know', () => {
    const none = { gains: [], losses: [], notes: [] }
    expect(formatDiff(none, 'a', 'b')).toBe('### Access: `a` to `b`\n\nNobody gains or loses access.\n')
    expect(formatDiff({ ...none, notes: ['x'] }, 'a', 'b')).toContain('Nobody is known to gain or lose access.')
  })

  it('keeps what a file says from being markup', () => {
    const evil = { source: '`@team` | <b>', destination: 'a\n| b', ports: ['*'] }
    expect(formatDiff({ gains: [evil], losses: [], notes: [] }, 'a', 'b')).toContain(
      '\n| `` `@team` \\| <b> `` | `a?\\| b` | `*` |\n',
    )
  })

  it('is bounded, and says so', () => {
    const gains = Array.from({ length: 1000 }, (_, i) => ({ ...change, source: `tag:t${i}` }))
    const text = formatDiff({ gains, losses: [], notes: [] }, 'a', 'b')
    expect(text).toContain('Access: 1000 gained.')
    expect(text).toContain('\n\n800 more rows are left out: `tunless policy diff --json` has all of them.')
    expect(text.length).toBeLessThan(60_000)
  })
})
