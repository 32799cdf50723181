// The policy's benchmark: what it times is right, and decides both ways.
import { describe, expect, it } from 'vitest'
import { policyTasks } from '../../../../src/app/bench/policy.js'
import { createPolicyWorld, firstRule } from '../../../../src/app/bench/policy-world.js'
import { checkTasks } from '../../../../src/app/bench/tasks.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'

describe('the policy benchmark', () => {
  it('compares decisions with the rules asked one by one before it times them', () => {
    const [decide, reload] = policyTasks(700, 500, 1024)
    expect(checkTasks([decide!])).toBe(1024)
    expect(decide!.run()).toBeGreaterThan(0)
    expect(reload!.run()).toBeUndefined()
  })

  it('has a network in which some flows are allowed and some are not', () => {
    const world = createPolicyWorld(700, 500, 1024)
    const allowed = world.flows.filter(flow => firstRule(world, flow) >= 0).length
    expect(allowed).toBeGreaterThan(256)
    expect(allowed).toBeLessThan(768)
    expect(parsePolicy(world.text).diagnostics).toEqual([])
  })
})
