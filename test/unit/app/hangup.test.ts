import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { onHangup } from '../../../src/app/hangup.js'

function listen(...terminal: boolean[]) {
  const reload = vi.fn()
  const end = vi.fn()
  const stop = onHangup(reload, end, () => terminal.shift() as boolean)
  onTestFinished(stop)
  return { reload, end, stop }
}

describe('SIGHUP', () => {
  it('is an order to reload where there never was a terminal', () => {
    const { reload, end } = listen(false)
    process.emit('SIGHUP', 'SIGHUP')
    process.emit('SIGHUP', 'SIGHUP')
    expect([reload.mock.calls.length, end.mock.calls.length]).toEqual([2, 0])
  })

  it('is one as long as the terminal is there, and the end when that is gone', () => {
    const { reload, end } = listen(true, true, false)
    process.emit('SIGHUP', 'SIGHUP')
    expect([reload.mock.calls.length, end.mock.calls.length]).toEqual([1, 0])
    process.emit('SIGHUP', 'SIGHUP')
    expect([reload.mock.calls.length, end.mock.calls.length]).toEqual([1, 1])
  })
})
