// Connections of a scripted peer, established.
import type { TcpConnection } from '../../src/core/netstack/stack.js'
import { Recorder } from './tcp-endpoints.js'
import { type ScriptOptions, TcpScript } from './tcp-script.js'

export interface Established {
  readonly s: TcpScript
  readonly c: TcpConnection
  readonly owner: Recorder
}

/** What the peer offers unless a test says otherwise: SACK and window scale, no timestamps, so that lines stay short. */
export const usualOptions = 'mss 1460,sackOK,wscale 7'

/** We dialled. `options` and `synWin` are those of the peer's SYN-ACK; `win` is its window afterwards, to be scaled. */
export function dialled(options = usualOptions, script: ScriptOptions = {}, win = 512, synWin = 65535): Established {
  const s = new TcpScript(script)
  const owner = new Recorder()
  const c = s.stack.connect({ address: s.peer, port: s.peerPort }, owner, s.now)
  owner.connection = c
  s.expect('S 0:0(0)')
  s.send(`S. 0:0(0) ack 1 win ${synWin} <${options}>`)
  s.expect('. 1:1(0) ack 1')
  // A window update without data: what the scripts' windows count from.
  s.send(`. 1:1(0) ack 1 win ${win}${timestampsOf(options)}`)
  s.expectNothing()
  return { s, c, owner }
}

/** The peer dialled our port 80. */
export function accepted(options = usualOptions, script: ScriptOptions = {}, win = 512): Established {
  const s = new TcpScript(script)
  const owner = new Recorder()
  let c: TcpConnection | undefined
  s.stack.listen({ port: s.ourPort }, connection => {
    c = connection
    owner.connection = connection
    return owner
  })
  s.send(`S 0:0(0) win 65535 <${options}>`)
  s.expect('S. 0:0(0) ack 1')
  s.send(`. 1:1(0) ack 1 win ${win}${timestampsOf(options)}`)
  s.expectNothing()
  if (c === undefined) throw new Error('not accepted')
  return { s, c, owner }
}

function timestampsOf(options: string): string {
  return options.includes('TS') ? ` <${options.split(',').find(option => option.startsWith('TS'))}>` : ''
}

/** Bytes to write; what the peer gets is not compared by scripts, but by the simulations. */
export function payload(size: number): Uint8Array {
  return new Uint8Array(size).fill(120)
}
