import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { waitForTargets } from '../../../src/app/run-wait.js'
import { TunnelError } from '../../../src/errors.js'
import type { DialSignal } from '../../../src/proxy/departure.js'
import type { Dialer, RelaySocket } from '../../../src/proxy/dialer.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const db = { host: 'db', port: 5432 }
const refused = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
const socket = () => ({ destroy: vi.fn() }) as unknown as RelaySocket

/** AbortSignal.timeout runs on a clock that cannot be faked. */
beforeEach(() => {
  vi.spyOn(AbortSignal, 'timeout').mockImplementation(ms => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new DOMException('late', 'TimeoutError')), ms)
    return controller.signal
  })
})
afterEach(() => vi.restoreAllMocks())

/** A dial that neither succeeds nor fails by itself. */
const silent: Dialer = (_target, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

function start(dial: Dialer, options: { timeout?: number; signal?: AbortSignal; targets?: (typeof db)[] } = {}) {
  const said: string[] = []
  const say = (line: string) => void said.push(line)
  const { timeout = 20_000, signal = new AbortController().signal, targets = [db] } = options
  const log = { error: say, warn: say, info: say, debug: say }
  const outcome = waitForTargets(targets, { dial, timeout, signal, log }).then(
    () => 'all answer',
    (error: Error) => error,
  )
  return { said, outcome }
}

describe('waiting for targets', () => {
  it('goes on until one that refused at first answers, and closes what it opened', async () => {
    const opened = socket()
    let dials = 0
    const { outcome, said } = start(async () => {
      if (++dials < 5) throw refused()
      return opened
    })
    await vi.advanceTimersByTimeAsync(100 + 200 + 400 + 800)
    expect(await outcome).toBe('all answer')
    expect(dials).toBe(5)
    expect(opened.destroy).toHaveBeenCalledOnce()
    expect(said).toEqual([])
  })

  it('says after some seconds for whom it waits, and not too often', async () => {
    const { said } = start(async () => {
      throw refused()
    })
    await vi.advanceTimersByTimeAsync(12_000)
    expect(said).toEqual([
      'waiting for db:5432: db:5432 refused the connection: check that the service runs and listens there',
    ])
  })

  it('fails after its time with what the last dial failed with', async () => {
    const { outcome } = start(
      async () => {
        throw refused()
      },
      { timeout: 3000 },
    )
    await vi.advanceTimersByTimeAsync(3000)
    expect(await outcome).toMatchObject({ code: 'TARGET_REFUSED' })
  })

  it('dials a silent target anew, and fails after its time', async () => {
    const dial = vi.fn(silent)
    const { outcome } = start(dial)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(await outcome).toMatchObject({ code: 'TARGET_TIMEOUT', message: expect.stringContaining('in 20 s') })
    expect(dial.mock.calls.length).toBeGreaterThan(2)
  })

  it.each(['NO_ROUTE', 'UNKNOWN_HOST'] as const)(
    'fails at once with %s, and gives the other targets up',
    async code => {
      const signals: DialSignal[] = []
      const { outcome } = start(
        async (target, signal) => {
          signals.push(signal)
          if (target.host === 'web1') throw new TunnelError(code, 'no way')
          return silent(target, signal)
        },
        { targets: [db, { host: 'web1', port: 22 }] },
      )
      expect(await outcome).toMatchObject({ code })
      expect(signals[0]?.aborted).toBe(true)
    },
  )

  it('ends with the signal', async () => {
    const stop = new AbortController()
    const { outcome } = start(silent, { timeout: 0, signal: stop.signal })
    await vi.advanceTimersByTimeAsync(60_000)
    stop.abort(new Error('stopped by SIGTERM'))
    expect(await outcome).toMatchObject({ message: 'stopped by SIGTERM' })
  })

  it('is over at once without targets', async () => {
    expect(await start(silent, { targets: [] }).outcome).toBe('all answer')
  })
})
