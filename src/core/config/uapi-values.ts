// The values of the cross-platform userspace configuration protocol (https://www.wireguard.com/xplatform/), which wg(8) speaks on
// a unix socket: lines of KEY=VALUE, keys in hexadecimal. Each reader returns undefined for what it cannot use.
import { type Endpoint, parseAddress } from '../base/address.js'

/** Linux's error numbers, as the protocol gives them: negative. */
export const uapiErrno = {
  none: 0,
  /** EIO */
  failed: -5,
  /** EINVAL */
  invalid: -22,
  /** E2BIG */
  tooLong: -7,
  /** EPROTO */
  protocol: -71,
  /** EOPNOTSUPP */
  unsupported: -95,
  /** EADDRINUSE */
  portInUse: -98,
} as const

export type UapiErrno = (typeof uapiErrno)[keyof typeof uapiErrno]

/** 32 bytes, or undefined unless `text` is 64 hexadecimal digits. */
export function parseHexKey(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) return undefined
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

/** A whole number in decimal from 0 to `most`. */
export function parseUnsigned(text: string, most: number): number | undefined {
  const value = Number(text)
  return /^\d{1,16}$/.test(text) && value <= most ? value : undefined
}

/** `192.0.2.1:51820` or `[2001:db8::1]:51820`; never a name. */
export function parseUapiEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15})):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const address = parseAddress((match[1] ?? match[2]) as string)
  const port = parseUnsigned(match[3] as string, 65535)
  if (address === undefined || port === undefined || port === 0) return undefined
  return (match[1] === undefined) === (address.length === 4) ? { address, port } : undefined
}

/** X25519 ignores five bits of a private key (RFC 7748 section 5); wg(8) shows the key as it is used. Returns a copy. */
export function clampKey(key: Uint8Array): Uint8Array {
  const clamped = key.slice()
  clamped[0] = (clamped[0] as number) & 0xf8
  clamped[31] = ((clamped[31] as number) & 0x7f) | 0x40
  return clamped
}

/** Splits at the first `=`; undefined without one. */
export function splitLine(line: string): readonly [key: string, value: string] | undefined {
  const at = line.indexOf('=')
  return at < 0 ? undefined : [line.slice(0, at), line.slice(at + 1)]
}
