// --metrics and --connection-log, for every command that keeps a tunnel.
import type { Command } from 'commander'
import type { ObserverOptions } from '../app/observe/observer.js'
import type { ListenAt } from '../app/ways-in.js'
import { readListenAt } from './ways-in.js'

/** As commander hands them over. */
export interface ObserverFlags {
  readonly metrics?: ListenAt
  readonly connectionLog?: string
}

export function addObserverOptions(command: Command): Command {
  return command
    .option(
      '--metrics <[bind:]port>',
      'serve Prometheus metrics, /healthz and /readyz over HTTP there, or at /path; 0 takes a free port',
      readListenAt,
    )
    .option(
      '--connection-log <where>',
      'write a line of JSON for each connection that is over: to stderr, a file, or syslog:[/path|host:port]',
    )
}

export function observerOptions({ metrics, connectionLog }: ObserverFlags): ObserverOptions {
  return {
    ...(metrics !== undefined && { metrics }),
    ...(connectionLog !== undefined && { connectionLog }),
  }
}
