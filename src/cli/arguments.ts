// The words of a command line that have a form of their own: durations, and what PORT and HOST take. Each reader returns the
// value or throws commander's error, which names the option.
import { InvalidArgumentError } from 'commander'

export interface Listen {
  readonly host: string
  readonly port: number
}

/** Node's timers take no more, ms. */
const longestDuration = 2 ** 31 - 1
const units: Readonly<Record<string, number>> = { '': 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const defaultBind = '127.0.0.1'

/** `20`, `1.5`, `500ms`, `2m`, `1h`: returns milliseconds. 0 is without end. */
export function readDuration(text: string): number {
  const [, number, unit] = /^(\d{1,10}(?:\.\d{1,3})?)(ms|s|m|h|)$/.exec(text) ?? []
  const duration = number === undefined ? Number.NaN : Math.round(Number(number) * (units[unit ?? ''] as number))
  if (Number.isNaN(duration)) throw new InvalidArgumentError('write seconds, or a number with a unit: 20, 500ms, 2m')
  if (duration > longestDuration) throw new InvalidArgumentError('at most 596h; 0 waits without end')
  return duration
}

/** The same, but not without end. */
export function readBound(text: string): number {
  const duration = readDuration(text)
  if (duration > 0) return duration
  throw new InvalidArgumentError('write a time above 0: 20, 500ms, 2m')
}

/** How many: a whole number above 0. */
export function readCount(text: string): number {
  const count = Number(text)
  if (/^\d{1,9}$/.test(text) && count > 0) return count
  throw new InvalidArgumentError(`'${printable(text)}' is not a count: write a whole number from 1 up`)
}

/** Collects an option that may be repeated. */
export function collectText(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text]
}

/** A port in decimal, `least` to 65535. */
export function readPort(text: string, least = 1): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < least || port > 65535) {
    throw new InvalidArgumentError(`'${printable(text)}' is not a port: write a number from ${least} to 65535`)
  }
  return port
}

/** `HOST PORT`'s port. */
export function readTargetPort(text: string): number {
  return readPort(text)
}

/** A name or an address, brackets allowed; whether the tunnel knows it shows later. */
export function readHost(text: string): string {
  const host = /^\[([^[\]]*)\]$/.exec(text)?.[1] ?? text
  if (!/^[A-Za-z0-9._:-]{1,255}$/.test(host)) {
    throw new InvalidArgumentError(
      `'${printable(text)}' is not a host: write a name of the configuration or an address`,
    )
  }
  return host
}

/** A network interface's name, as wg and the kernel take it. */
export function readInterfaceName(text: string): string {
  if (!/^[A-Za-z0-9_=+.-]{1,15}$/.test(text) || text === '.' || text === '..') {
    throw new InvalidArgumentError(
      `'${printable(text)}' is no interface's name: write up to 15 letters, digits or _=+.-`,
    )
  }
  return text
}

/** `[bind:]port`; a bare port is of 127.0.0.1. */
export function readListen(text: string): Listen {
  const parts = fields(text)
  const [bind, port] = parts.length === 1 ? [undefined, ...parts] : parts
  if (port === undefined || parts.length > 2) {
    throw new InvalidArgumentError('write PORT or ADDRESS:PORT, with an IPv6 address as [ADDRESS]:PORT')
  }
  return { host: readBind(bind), port: readPort(port, 0) }
}

/** An address to bind to, with the default for none. */
export function readBind(text: string | undefined): string {
  if (text === undefined) return defaultBind
  return text === '*' || text === '' ? '::' : readHost(text)
}

/** `HOST:PORT`, with an IPv6 address in brackets; `tag:NAME:PORT`. */
export function readEndpoint(text: string): Listen {
  const [, tag, tagPort] = /^(tag:[^:]*):([^:]*)$/i.exec(text) ?? []
  if (tag !== undefined && tagPort !== undefined) return { host: readHost(tag), port: readPort(tagPort) }
  const [host, port, ...rest] = fields(text)
  if (host === undefined || port === undefined || rest.length > 0) {
    throw new InvalidArgumentError('write HOST:PORT, with an IPv6 address as [ADDRESS]:PORT')
  }
  return { host: readHost(host), port: readPort(port) }
}

/** Splits at colons outside of brackets. */
export function fields(text: string): string[] {
  return text.split(/:(?![^[]*\])/)
}

/** For a message: no control characters, and not too much of it. */
export function printable(text: string): string {
  return text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?')
}
