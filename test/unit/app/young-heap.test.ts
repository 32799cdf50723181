import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { oneScavengerFlag, youngHeapFlag } from '../../../src/app/young-heap.js'

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

it('collecting the young generation waits for no other thread, on this version of Node', () => {
  const helped = (FLAG: string) => {
    const traced = ['--trace-gc', '--trace-gc-nvp', '-e', churn]
    const trace = execFileSync(process.execPath, traced, { encoding: 'utf8', env: { ...process.env, FLAG } })
    const times = [...trace.matchAll(/background\.scavenge\.parallel=([\d.]+)/g)].map(([, time]) => Number(time))
    expect(times.length).toBeGreaterThan(0)
    return times.reduce((sum, time) => sum + time, 0)
  }
  expect(helped('')).toBeGreaterThan(0)
  expect(helped(oneScavengerFlag)).toBe(0)
})
