// Small configurations to vary, with keys that are no secrets.
import { expect } from 'vitest'
import { encodeKey } from '../../../../src/core/base/base64.js'
import { type Config, parseConfig } from '../../../../src/core/config/config.js'
import { TunnelError } from '../../../../src/errors.js'

export function key(byte: number): string {
  return encodeKey(new Uint8Array(32).fill(byte))
}

/** The least that is a configuration, with lines added to either section. */
export function conf({ own = [], peer = [] }: { own?: string[]; peer?: string[] } = {}): string {
  return ['[Interface]', 'Address = 10.7.0.2/24', ...own, '[Peer]', `PublicKey = ${key(1)}`, ...peer].join('\n')
}

export function parse(text: string): Config {
  return parseConfig(text, 'deploy.conf')
}

/** The message with which `text` is refused. */
export function refusal(text: string): string {
  try {
    parse(text)
  } catch (error) {
    expect(error).toBeInstanceOf(TunnelError)
    expect((error as TunnelError).code).toBe('CONFIG_INVALID')
    return (error as TunnelError).message
  }
  throw new Error('the configuration was accepted')
}
