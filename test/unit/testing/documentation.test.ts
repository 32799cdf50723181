// docs/testing.md is what it says: its example runs.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as testing from '../../../src/testing/index.js'

const text = readFileSync(new URL('../../../docs/testing.md', import.meta.url), 'utf8')
const blocks = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(match => match[1] as string)

/** Runs `code` as the module that it is, but for its one import; returns what it printed. */
async function run(code: string): Promise<string[]> {
  const [line, names] = /^import \{ (.*) \} from 'tunless\/testing'$/m.exec(code) as unknown as [string, string]
  const printed: string[] = []
  const AsyncFunction = (async () => {}).constructor as new (...source: string[]) => (...values: unknown[]) => unknown
  const module = new AsyncFunction('testing', 'console', `const { ${names} } = testing\n${code.replace(line, '')}`)
  await module(testing, { log: (text: string) => printed.push(text) })
  return printed
}

describe('docs/testing.md', () => {
  it('has an example that runs, the same each time', async () => {
    const printed = await run(blocks[0] as string)
    expect(printed).toEqual([
      expect.stringMatching(/^1000000 bytes and back in \d+ ms$/),
      expect.stringMatching(/^\d+ of \d+ segments were sent again$/),
    ])
    expect(await run(blocks[0] as string)).toEqual(printed)
  })

  it('has a blackout that a transfer survives', async () => {
    const setUp = `import { createNetwork, createTransfer } from 'tunless/testing'
      const network = createNetwork({ path: { delay: 10, rate: 10 }, crypto: 'plain' })
      const { a, b, clock } = network
      const transfer = createTransfer(clock, { from: a, to: b, there: 20_000_000 })
      ${blocks[1]}
      clock.runUntil(39_000)
      console.log(String(transfer.acceptor.received))
      clock.runWhile(() => !transfer.done, 3_600_000)
      console.log(String(transfer.acceptor.received))`
    const [during, after] = await run(setUp)
    expect(Number(during)).toBeLessThan(12_500_000)
    expect(Number(during)).toBeGreaterThan(10_000_000)
    expect(after).toBe('20000000')
  })

  it('names every option of a path', () => {
    const { options } = testing.createPath(testing.createVirtualClock(), testing.createSeededRandom(1))
    for (const name of Object.keys(options)) expect(text).toContain(`| \`${name}\` |`)
  })
})
