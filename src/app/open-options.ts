// What every command that opens a tunnel can be told of how to open it.
import type { TunnelOptions } from '../node/tunnel-options.js'

export interface OpenOptions extends Readonly<Pick<TunnelOptions, 'congestion' | 'family'>> {}

/** For openTunnel, out of all of a command's options. */
export function openOptions({ congestion, family }: OpenOptions): OpenOptions {
  return {
    ...(congestion !== undefined && { congestion }),
    ...(family !== undefined && { family }),
  }
}
