import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tellWhileWaiting } from '../../../src/app/waiting.js'
import type { Tunnel } from '../../../src/node/tunnel.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const tunnel = {
  peers: () => [{ name: 'web1', publicKey: 'x', endpoint: '192.0.2.1:51820' }, { publicKey: 'no endpoint' }],
} as unknown as Tunnel

function listen() {
  const lines: string[] = []
  const say = (line: string) => void lines.push(line)
  return { lines, log: { error: say, warn: say, info: say, debug: say } }
}

describe('waiting for a handshake', () => {
  it('is told after three seconds, with whom it waits for', async () => {
    const { lines, log } = listen()
    const waiting = tellWhileWaiting(new Promise(resolve => setTimeout(resolve, 5000, 'ready')), tunnel, log)
    await vi.advanceTimersByTimeAsync(2999)
    expect(lines).toEqual([])
    await vi.advanceTimersByTimeAsync(3000)
    expect(lines).toEqual(['no answer yet from web1 at 192.0.2.1:51820; still calling'])
    expect(await waiting).toBe('ready')
  })

  it('is counted in seconds on a terminal, and the line goes away', async () => {
    const { log } = listen()
    const shown: (string | undefined)[] = []
    const waiting = tellWhileWaiting(new Promise(resolve => setTimeout(resolve, 2500)), tunnel, {
      ...log,
      status: text => void shown.push(text),
    })
    await vi.advanceTimersByTimeAsync(2500)
    await waiting
    expect(shown).toEqual(['calling web1 at 192.0.2.1:51820 … 1 s', 'calling web1 at 192.0.2.1:51820 … 2 s', undefined])
  })

  it('that is soon over, or fails, says nothing', async () => {
    const { lines, log } = listen()
    expect(await tellWhileWaiting(Promise.resolve(1), tunnel, log)).toBe(1)
    await expect(tellWhileWaiting(Promise.reject(new Error('no')), tunnel, log)).rejects.toThrow('no')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(lines).toEqual([])
  })
})
