// Years of a session that is only kept alive: the count of handshakes is what the timers say, to the last one.
import { describe, expect, it } from 'vitest'
import { defaultTimers } from '../../src/core/wireguard/constants.js'
import { nodeCrypto } from '../../src/node/crypto/node.js'
import { plainCrypto } from '../../src/testing/plain-crypto.js'
import { liveFor } from '../support/long-life.js'

const minute = 60_000
const day = 86_400_000
const year = 365.25 * day
const persistentKeepalive = 25
const delay = 10

/**
 * A keepalive leaves with the response and every 25 s after it; the first one that finds its session 120 s old calls at
 * once, and a round trip later the next session stands.
 */
function predict(milliseconds: number): { initiations: number; keepalives: number } {
  const perSession = Math.ceil(defaultTimers.rekeyAfterTime / (persistentKeepalive * 1000))
  const period = perSession * persistentKeepalive * 1000 + 2 * delay
  const initiations = Math.floor(milliseconds / period) + 1
  const last = milliseconds - (initiations - 1) * period - 2 * delay
  const inLast = last < 0 ? 0 : Math.min(perSession, Math.floor(last / (persistentKeepalive * 1000))) + 1
  return { initiations, keepalives: (initiations - 1) * (perSession + 1) + inLast }
}

function expectLife(milliseconds: number, crypto: typeof plainCrypto): void {
  const life = liveFor(milliseconds, crypto, persistentKeepalive, delay)
  const { initiations, keepalives } = predict(milliseconds)
  expect(life).toEqual({
    initiations,
    sessions: initiations,
    keepalives,
    dropped: 0,
    indices: expect.any(Number),
    slots: 0,
  })
  expect(life.indices).toBeLessThanOrEqual(6)
}

/** Minutes of real time: for `npm run soak`, and the full run of all tests. */
const long = process.env.TUNLESS_SOAK === '1' || process.env.TUNLESS_FULL === '1'

describe('a session with a keepalive each 25 s', () => {
  it('has the handshakes that the timers predict, over every length of time (W16) (W17)', () => {
    for (let i = 0; i < 300; i++) expectLife(120_000 + i * 4321, plainCrypto)
    expectLife(30 * day, nodeCrypto)
    expectLife(year / 2, plainCrypto)
  })

  it.runIf(long)('has them over ten years, in less than three minutes', { timeout: 10 * minute }, () => {
    // Time of the processor: others may use the machine as well.
    const start = process.cpuUsage()
    expectLife(10 * year, plainCrypto)
    const { user, system } = process.cpuUsage(start)
    const seconds = (user + system) / 1e6
    console.log(`ten years, ${predict(10 * year).initiations} handshakes: ${seconds.toFixed(1)} s`)
    expect(seconds).toBeLessThan(180)
  })

  it.runIf(process.env.TUNLESS_SOAK === '1')(
    'has them over a year of real cryptography',
    { timeout: 20 * minute },
    () => {
      expectLife(year, nodeCrypto)
    },
  )
})
