// connect() and listen(): what is refused for local reasons, and the first SYN, which waits for its path.
import { isMapped, protocolTcp, sameWords, wordsOf } from '../../wire/ip.js'
import { type ConnectOptions, type ListenOptions, StackError, type TcpConnection, type TcpEvents } from '../types.js'
import { longestDial } from './constants.js'
import { createConnection } from './input-handshake.js'
import type { TcpLayer } from './layer.js'
import { Listener } from './listener.js'
import { canReuse, chooseTcpPort } from './ports.js'
import { seqBefore } from './sequence.js'
import { stateSynSent } from './states.js'

/** Linux's: far from everything the old connection sent. */
const sequenceGap = 65537

export function dial(layer: TcpLayer, options: ConnectOptions, events: TcpEvents, now: number): TcpConnection {
  const { context } = layer
  const { limits, identity, paths, counters } = context
  context.now = now
  const remote = wordsOf(options.address)
  const local = options.localAddress === undefined ? context.sourceFor(remote) : wordsOf(options.localAddress)
  if (!isPort(options.port)) throw new StackError('EINVAL', 'the port is none')
  if (local === undefined) throw new StackError('ENETUNREACH', 'no own address of that family')
  if (!context.isOwn(local) || isMapped(local) !== isMapped(remote)) {
    throw new StackError('EADDRNOTAVAIL', 'the local address is none of ours')
  }
  const path = context.routeTo(remote)
  if (path === -1) throw new StackError('ENETUNREACH', 'no route to the address')
  if (layer.flows.size >= limits.connections) {
    counters.tcpConnectionsFull++
    throw new StackError('EMFILE', 'too many connections')
  }
  const asked = options.localPort ?? 0
  const localPort = asked === 0 ? chooseTcpPort(layer, local, remote, options.port, now) : asked
  if (localPort < 0) throw new StackError('EADDRNOTAVAIL', 'every port is in use')
  const record = layer.timeWait.find(local, localPort, remote, options.port)
  const taken = layer.flows.find(local, localPort, remote, options.port) !== undefined
  const selfDialled = localPort === options.port && sameWords(local, remote)
  if (taken || selfDialled || (record >= 0 && !canReuse(layer, record, now))) {
    throw new StackError('EADDRINUSE', 'the local port is in use')
  }
  const ticket = context.gate?.admit(true, protocolTcp, local, localPort, remote, options.port, path, now)
  if (context.gate !== undefined && ticket === undefined) {
    throw new StackError('EACCES', 'no rule of the policy allows it')
  }
  const c = createConnection(layer, local, localPort, remote, options.port, path, isMapped(local) ? 4 : 6)
  c.ticket = ticket
  c.events = events
  c.iss = identity.initialSequence(local, localPort, remote, options.port, now)
  if (record >= 0) {
    const least = (layer.timeWait.sndNxt(record) + sequenceGap) | 0
    if (seqBefore(c.iss, least)) c.iss = least
    layer.timeWait.remove(record)
  }
  c.sndUna = c.iss
  c.sndNxt = c.iss
  c.stateCode = stateSynSent
  c.lifetimeAt = now + (options.timeout !== undefined && options.timeout > 0 ? options.timeout : longestDial)
  layer.schedule(c)
  layer.flows.insert(c)
  if (paths.ready(path)) c.pathUp()
  else paths.wait(path, c, now)
  return c
}

export function listen(
  layer: TcpLayer,
  options: ListenOptions,
  accept: (connection: TcpConnection) => TcpEvents,
): Listener {
  const { context } = layer
  const address = options.address === undefined ? undefined : wordsOf(options.address)
  if (options.port !== 0 && !isPort(options.port)) throw new StackError('EINVAL', 'the port is none')
  if (address !== undefined && !context.isOwn(address)) {
    throw new StackError('EADDRNOTAVAIL', 'the address is none of ours')
  }
  const port = options.port === 0 ? freeListenPort(layer, address) : options.port
  if (port < 0 || layer.listeners.isTaken(address, port)) throw new StackError('EADDRINUSE', 'the port is in use')
  const backlog = options.backlog ?? context.limits.backlog
  const listener = new Listener(layer.listeners, address, port, backlog, accept)
  layer.listeners.add(listener)
  return listener
}

function freeListenPort(layer: TcpLayer, address: Parameters<TcpLayer['listeners']['isTaken']>[0]): number {
  const { firstEphemeralPort: first, lastEphemeralPort: last } = layer.context.limits
  const count = last - first + 1
  const start = layer.context.random.below(count)
  for (let i = 0; i < count; i++) {
    const port = first + ((start + i) % count)
    if (!layer.listeners.isTaken(address, port)) return port
  }
  return -1
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 0xffff
}
