// The exit codes of every command, in one table.
import type { TunnelError, TunnelErrorCode } from '../errors.js'

export const exitCodes = {
  done: 0,
  /** Failed at run time. */
  failed: 1,
  /** The command line, the configuration or the policy cannot be used. */
  usage: 2,
  /** `run`: everything that is not its command's. */
  ownFailure: 125,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const usageCodes: ReadonlySet<TunnelErrorCode> = new Set<TunnelErrorCode>([
  'CONFIG_INVALID',
  'CONFIG_NO_PRIVATE_KEY',
  'CONFIG_UNREADABLE',
  'NETMAP_INVALID',
  'POLICY_INVALID',
  'POLICY_UNREADABLE',
  'PROXY_NOT_LOOPBACK',
  'USAGE',
])

/** Of this copy of the code, or of another: what `bench` and `demo` run is not in the command's bundle. */
export function isTunnelError(error: unknown): error is TunnelError {
  return error instanceof Error && error.name === 'TunnelError'
}

/** What `run` says of any error: its command's own codes are 0, 1, 2 as well. */
export function runExitCodeOf(): ExitCode {
  return exitCodes.ownFailure
}

export function exitCodeOf(error: unknown): ExitCode {
  return isTunnelError(error) && usageCodes.has(error.code) ? exitCodes.usage : exitCodes.failed
}
