import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { TunnelError } from '../../../src/errors.js'
import { createDialer, dialFailure, formatTarget, type RelaySocket } from '../../../src/proxy/dialer.js'
import { cleanUp, loopbackDialer, startTarget } from '../../support/proxy.js'

afterEach(cleanUp)

const socketError = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code })

describe('the failure of a dial', () => {
  it.each([
    ['no AllowedIPs', socketError('ENETUNREACH', new TunnelError('NO_ROUTE', '')), 'no-route'],
    ['no AllowedIPs, as thrown', new TunnelError('NO_ROUTE', ''), 'no-route'],
    ['no handshake', socketError('ETIMEDOUT', new TunnelError('HANDSHAKE_TIMEOUT', '')), 'no-handshake'],
    [
      'an endpoint without an address',
      socketError('EHOSTUNREACH', new TunnelError('ENDPOINT_UNRESOLVED', '')),
      'no-handshake',
    ],
    ['an unknown name', socketError('ENOTFOUND', new TunnelError('UNKNOWN_HOST', '')), 'unknown-host'],
    ['a name the host does not know', socketError('ENOTFOUND'), 'unknown-host'],
    ['DNS that gives no answer', socketError('EAI_AGAIN', new TunnelError('DNS_UNAVAILABLE', '')), 'unresolved'],
    ["the host's DNS that gives none", socketError('EAI_AGAIN'), 'unresolved'],
    ['ICMP host unreachable', socketError('EHOSTUNREACH'), 'unreachable'],
    ['ICMP network unreachable', socketError('ENETUNREACH'), 'unreachable'],
    ['a RST', socketError('ECONNREFUSED'), 'refused'],
    ['silence', socketError('ETIMEDOUT'), 'timeout'],
    ['a policy', socketError('EACCES'), 'denied'],
    ['something else', socketError('EMFILE'), 'failed'],
    ['a code that is no code', socketError('toString'), 'failed'],
    ['no error at all', undefined, 'failed'],
  ])('by %s is %3$s', (_, error, failure) => {
    expect(dialFailure(error)).toBe(failure)
  })
})

describe('a dialer', () => {
  it('gives the socket once it is connected', async () => {
    const target = await startTarget()
    const socket = await loopbackDialer()({ host: 'any', port: target.port }, new AbortController().signal)
    expect((socket as net.Socket).readyState).toBe('open')
    expect(socket.allowHalfOpen).toBe(true)
    socket.destroy()
  })

  it('rejects with the error of the socket, or of the call', async () => {
    const { signal } = new AbortController()
    await expect(loopbackDialer()({ host: 'any', port: 1 }, signal)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const throwing = createDialer(() => {
      throw new TunnelError('TUNNEL_CLOSED', 'closed')
    })
    await expect(throwing({ host: 'any', port: 1 }, signal)).rejects.toMatchObject({ code: 'TUNNEL_CLOSED' })
  })

  it('is given up by its signal, under way and before', async () => {
    let socket: net.Socket | undefined
    const dial = createDialer(() => {
      socket = new net.Socket()
      return socket as RelaySocket
    })
    const abort = new AbortController()
    const dialled = dial({ host: 'any', port: 1 }, abort.signal)
    abort.abort(new Error('enough'))
    await expect(dialled).rejects.toThrow('enough')
    expect(socket?.destroyed).toBe(true)
    await expect(dial({ host: 'any', port: 1 }, abort.signal)).rejects.toThrow('enough')
  })

  it('rejects when the socket closes without a word', async () => {
    const dial = createDialer(() => new net.Socket().destroy() as RelaySocket)
    await expect(dial({ host: 'web1', port: 1 }, new AbortController().signal)).rejects.toThrow('web1:1')
  })

  it('lets a connected socket live when its signal is aborted later, and fail without a listener', async () => {
    const target = await startTarget()
    const abort = new AbortController()
    const socket = await loopbackDialer()({ host: 'any', port: target.port }, abort.signal)
    abort.abort()
    expect(socket.destroyed).toBe(false)
    socket.destroy(new Error('nobody listens'))
    await new Promise(resolve => socket.once('close', resolve))
    expect(socket.errored?.message).toBe('nobody listens')
  })
})

it.each([
  [{ host: 'web1', port: 22 }, 'web1:22'],
  [{ host: 'fd00::1', port: 22 }, '[fd00::1]:22'],
])('a target %j is written %s', (target, text) => {
  expect(formatTarget(target)).toBe(text)
})
