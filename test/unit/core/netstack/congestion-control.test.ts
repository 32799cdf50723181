import { describe, expect, it } from 'vitest'
import type { CongestionStart } from '../../../../src/core/netstack/congestion.js'
import {
  congestionControls,
  defaultCongestionControl,
  isCongestionControlName,
  selectCongestionControl,
} from '../../../../src/core/netstack/congestion-control.js'
import { createCubic } from '../../../../src/core/netstack/cubic.js'

const start: CongestionStart = {
  segmentSize: 1000,
  initialWindow: 10_000,
  rtt: 50,
  selectiveAcks: true,
  now: 0,
  random: () => 0.5,
}

describe('the choice of a congestion control', () => {
  it('is BBR without a name, and what the name says with one (N13)', () => {
    expect(defaultCongestionControl).toBe('bbr')
    expect(selectCongestionControl()(start).name).toBe('bbr')
    expect(selectCongestionControl('bbr')(start).name).toBe('bbr')
    expect(selectCongestionControl('cubic')(start).name).toBe('cubic')
    expect(Object.keys(congestionControls)).toEqual(['bbr', 'cubic'])
  })

  it('is CUBIC for a peer without SACK, whatever was chosen (B8)', () => {
    expect(selectCongestionControl('bbr')({ ...start, selectiveAcks: false }).name).toBe('cubic')
  })

  it("takes one of the caller's own", () => {
    expect(selectCongestionControl(createCubic)).toBe(createCubic)
  })

  it('says which there are where it is given another', () => {
    expect(() => selectCongestionControl('reno' as 'bbr')).toThrow(
      new RangeError("there is no congestion control 'reno': use bbr or cubic"),
    )
    expect(isCongestionControlName('toString')).toBe(false)
    expect(isCongestionControlName(1)).toBe(false)
  })
})
