import { describe, expect, it } from 'vitest'
import type { DeviceCounters } from '../../../src/core/wireguard/device.js'
import { type Attempt, type Evidence, explainSilence } from '../../../src/node/readiness.js'

const attempt: Attempt = {
  label: 'web1',
  endpoint: 'vpn.example:51820',
  silentFor: Infinity,
  initiations: 4,
  cookies: 0,
  unresolved: undefined,
}
const evidence = (change: Partial<Evidence>): Evidence => ({
  attempts: [attempt],
  timeout: 20_000,
  port: 51999,
  received: 0,
  counters: {} as DeviceCounters,
  udpError: undefined,
  ...change,
})
const failure = (code: string) => Object.assign(new Error(code), { code })

describe('why nobody answered', () => {
  it('says what was tried: peer, endpoint, initiations, time', () => {
    const error = explainSilence(evidence({}))
    expect(error.code).toBe('HANDSHAKE_TIMEOUT')
    expect(error.message).toContain('no handshake in 20 s with web1 at vpn.example:51820 (4 initiations unanswered)')
  })

  it.each([
    ['silence', {}, 'no packet came back'],
    ['a cookie', { attempts: [{ ...attempt, cookies: 1 }], received: 1 }, 'under load'],
    ['packets that complete nothing', { received: 3 }, '3 datagrams came'],
    ['a closed port', { udpError: failure('ECONNREFUSED') }, 'nothing listens on that port'],
    ['no network', { udpError: failure('ENETUNREACH') }, 'sending failed (ENETUNREACH)'],
  ])('%s', (_name, change, expected) => expect(explainSilence(evidence(change)).message).toContain(expected))

  it('a peer that answered before has just gone silent', () => {
    const { message } = explainSilence(evidence({ attempts: [{ ...attempt, silentFor: 61_000 }], received: 100 }))
    expect(message).toContain('4 initiations unanswered, silent for 61 s')
    expect(message).toContain('it answered before')
  })

  it('a peer without an endpoint has to call, and cannot be (W22)', () => {
    const { message } = explainSilence(evidence({ attempts: [{ ...attempt, endpoint: undefined, initiations: 0 }] }))
    expect(message).toBe(
      'web1 has no Endpoint and has not called on UDP port 51999: add Endpoint, or start the other side',
    )
  })

  it('an endpoint whose name does not resolve has an error of its own', () => {
    const error = explainSilence(evidence({ attempts: [{ ...attempt, unresolved: failure('ENOTFOUND') }] }))
    expect(error.code).toBe('ENDPOINT_UNRESOLVED')
    expect(error.message).toContain('vpn.example:51820 has no address (ENOTFOUND)')
  })

  it('one peer that resolves keeps it a matter of the handshake', () => {
    expect(
      explainSilence(evidence({ attempts: [{ ...attempt, unresolved: failure('ENOTFOUND') }, attempt] })).code,
    ).toBe('HANDSHAKE_TIMEOUT')
  })
})
