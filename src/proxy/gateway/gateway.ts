// A gateway without root: what peers ask of routed addresses is dialled from this host's own network, and answered as the target
// answers. A SYN gets its SYN-ACK once the target's connection stands, a RST where that refuses, silence where it is silent.
import { setMaxListeners } from 'node:events'
import type { ForwardedConnection, ForwarderHandlers } from '../../node/forwarder.js'
import type { ConnectionResult } from '../client.js'
import { dialFailure, type RelaySocket, type Target } from '../dialer.js'
import { relay } from '../relay.js'
import { GatewayEchoes } from './echoes.js'
import { GatewayFlows } from './flows.js'
import { defaultGatewayLimits, type GatewayOptions } from './options.js'
import { deniedError, refusalFor } from './refusals.js'
import { Shares } from './shares.js'

export interface Gateway {
  readonly handlers: ForwarderHandlers
  /** Now. */
  readonly connections: number
  readonly flows: number
  /** Cuts every connection and gives up every dial. */
  close(): void
}

/** No longer than the timers of the stack: it answers nobody that waits longer. */
const longestDial = 30_000

export function createGateway(options: GatewayOptions): Gateway {
  const limits = { ...defaultGatewayLimits, ...options.limits }
  const closing = new AbortController()
  // One listener for each connection.
  setMaxListeners(0, closing.signal)
  const shares = new Shares(limits.connectionsPerPeer)
  const flows = new GatewayFlows(options, limits.flowsPerPeer)
  const echoes = options.echo && new GatewayEchoes(options.target, options.echo)
  let isClosed = false

  const handlers: ForwarderHandlers = {
    tcp: connection => void carry(connection),
    udp: flow => flows.handle(flow),
    ...(echoes && { ping: echo => echoes.handle(echo) }),
  }

  async function carry(request: ForwardedConnection): Promise<void> {
    const { localAddress, localPort, peer } = request
    const traffic = { sent: 0, received: 0 }
    const began = performance.now()
    const meant = { host: localAddress, port: localPort }
    const client = { host: request.remoteAddress, port: request.remotePort }
    const tell = (result: ConnectionResult, error?: unknown) => {
      if (result !== 'done' && result !== 'cut' && result !== 'gone') options.onError?.(error, meant)
      const duration = performance.now() - began
      const known = {
        way: 'serve',
        protocol: 'tcp',
        peer,
        client,
        target: meant,
        result,
        ...traffic,
        duration,
      } as const
      options.onConnection?.({ ...known, ...(error !== undefined && { error }) })
    }
    const verdict = options.target(localAddress)
    if ('denied' in verdict || localPort === 0) {
      request.refuse('prohibited')
      tell('denied', deniedError(meant, 'denied' in verdict ? verdict.denied : 'there is no port 0'))
      return
    }
    const key = peer?.publicKey ?? ''
    if (!shares.take(key)) {
      request.refuse('refused')
      tell('denied', deniedError(meant, `the peer has ${limits.connectionsPerPeer} connections already`))
      return
    }
    const settle = (result: ConnectionResult, error?: unknown) => {
      shares.give(key)
      tell(result, error)
    }
    let far: RelaySocket
    try {
      far = await dialFor(request, { host: verdict.host, port: localPort })
    } catch (error) {
      const isGone = request.signal.aborted || isClosed
      request.refuse(isGone ? 'drop' : refusalFor(error))
      settle(isGone ? 'gone' : dialFailure(error), isGone ? undefined : error)
      return
    }
    try {
      const keepAlive = { keepAlive: true, keepAliveInitialDelay: limits.keepAlive }
      const near = await request.accept({ allowHalfOpen: true, ...keepAlive })
      relay(near, far, traffic, error => settle(error === undefined ? 'done' : 'cut', error))
      if (isClosed) near.destroy()
      else closing.signal.addEventListener('abort', cut)
      near.once('close', () => closing.signal.removeEventListener('abort', cut))
      function cut() {
        near.destroy()
      }
    } catch {
      far.resetAndDestroy()
      settle('gone')
    }
  }

  function dialFor(request: ForwardedConnection, target: Target): Promise<RelaySocket> {
    const bound = AbortSignal.timeout(Math.min(options.timeout || longestDial, longestDial))
    return options.dial(target, AbortSignal.any([request.signal, closing.signal, bound])).catch(error => {
      throw bound.aborted ? Object.assign(new Error('the target did not answer'), { code: 'ETIMEDOUT' }) : error
    })
  }

  return {
    handlers,
    get connections() {
      return shares.total
    },
    get flows() {
      return flows.size
    },
    close() {
      isClosed = true
      closing.abort(new Error('the gateway was closed'))
      flows.close()
      echoes?.close()
    },
  }
}
