// The options of every command that listens on this host for what goes into the tunnel.
import type { Command } from 'commander'
import type { WaysInOptions } from '../app/ways-in.js'
import { collectForward, type ForwardSpec, type Listen, readListen } from './arguments.js'

/** As commander hands them over. */
export interface WaysInFlags {
  readonly D?: Listen
  readonly L?: ForwardSpec[]
}

export function addWaysInOptions(command: Command): Command {
  return command
    .option('-D <[bind:]port>', 'SOCKS5 proxy into the tunnel on this local port; 0 takes a free one', readListen)
    .option('-L <[bind:]port:host:hostport>', 'lead a local port to a port in the tunnel; repeatable', collectForward)
}

export function waysInOptions({ D: socks, L: forwards = [] }: WaysInFlags): Omit<WaysInOptions, 'timeout'> {
  return { forwards, ...(socks && { socks }) }
}
