// A dial by tag: `connect({ tag: 'tag:web', port: 22 })`.
import type { TunnelConnectOptions } from '../connect-options.js'

export interface TagConnectOptions extends Omit<TunnelConnectOptions, 'host' | 'lookup' | 'hints'> {
  /** `tag:web`; any node with it will do. */
  tag: string
  host?: undefined
}

/** The tag as the name that stands for its nodes. */
export function withHost<T extends TunnelConnectOptions | TagConnectOptions>(options: T): T & TunnelConnectOptions {
  if (!('tag' in options) || typeof options.tag !== 'string') return options as T & TunnelConnectOptions
  const host = options.tag.startsWith('tag:') ? options.tag : `tag:${options.tag}`
  return { ...options, host, lookup: undefined } as T & TunnelConnectOptions
}
