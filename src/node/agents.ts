// http.Agent and https.Agent through the tunnel. Node's own agents do all of it but the dialling: pools, keep-alive, TLS sessions.
// node:http and node:https are loaded when an agent is asked for.
import type { AgentOptions, Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent, AgentOptions as SecureAgentOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { TunnelConnect } from './connect.js'
import type { TunnelConnectOptions } from './connect-options.js'
import { dressSecure } from './secure.js'
import type { TunnelSocketOptions } from './socket-options.js'

/** As Node's globalAgent is made. */
const defaults = { keepAlive: true, scheduling: 'lifo', timeout: 5000 } as const

type Options = TunnelConnectOptions & TunnelSocketOptions
type Created = (error: Error | null, socket?: Duplex) => void

/** What @types/node 20 does not tell of an agent. */
interface Creating {
  createConnection(options: Options, callback?: Created): Duplex | undefined
}

export function createHttpAgent(connect: TunnelConnect, options: AgentOptions = {}): HttpAgent {
  const { Agent } = process.getBuiltinModule('node:http')
  const agent = new Agent({ ...defaults, ...options })
  const creating = agent as unknown as Creating
  creating.createConnection = (target, callback) => attempt(() => connect(target), callback)
  return agent
}

export function createHttpsAgent(connect: TunnelConnect, options: SecureAgentOptions = {}): HttpsAgent {
  const { Agent } = process.getBuiltinModule('node:https')
  const agent = new Agent({ ...defaults, ...options })
  const creating = agent as unknown as Creating
  const secure = creating.createConnection
  creating.createConnection = (target, callback) =>
    attempt(() => {
      // Which side ends when is for TLS to say.
      const below = connect({ ...target, allowHalfOpen: true })
      return dressSecure(secure.call(agent, { ...target, socket: below } as Options) as TLSSocket, below)
    }, callback)
  return agent
}

/** What connect() throws, of a closed tunnel for instance, is the request's error: an agent dials in the middle of others' events. */
function attempt(dial: () => Duplex, callback: Created | undefined): Duplex | undefined {
  try {
    return dial()
  } catch (error) {
    if (callback === undefined) throw error
    process.nextTick(callback, error as Error)
    return undefined
  }
}
