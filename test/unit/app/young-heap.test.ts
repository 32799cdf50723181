import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { youngHeapFlag } from '../../../src/app/young-heap.js'

/** Makes garbage of which much survives for a while; prints the young generation's MiB, and what V8 says of the flag. */
const churn = `
const v8 = require('node:v8')
if (process.env.FLAG) v8.setFlagsFromString(process.env.FLAG)
let kept = []
for (let i = 0; i < 300000; i++) {
  kept.push({ i, list: [i] })
  if (kept.length > 100000) kept = []
}
const { space_size } = v8.getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
console.log(space_size / 1048576)
`

it('the young generation stays as small as it began, on this version of Node', () => {
  const run = (FLAG: string) =>
    Number(execFileSync(process.execPath, ['-e', churn], { encoding: 'utf8', env: { ...process.env, FLAG } }))
  expect(run('')).toBeGreaterThan(8)
  expect(run(youngHeapFlag)).toBeLessThanOrEqual(4)
})
