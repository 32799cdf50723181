// What a proxy reads in the head of an HTTP message and writes into the next one (RFC 9110, section 7; RFC 9112, section 3.2).
// Headers are Node's flat lists: names and values by turns, as they came.
import type { Target } from './dialer.js'

/** What a request asks for. `path` is origin-form, or `*`. */
export interface RequestTarget extends Target {
  /** The authority as written, for Host. */
  readonly authority: string
  readonly path: string
}

/** Why a request cannot be served: a status, and the sentence for its body. */
export interface Unserved {
  readonly status: number
  readonly why: string
}

/** `http://host[:port]/path?query`, and nothing else. */
export function readAbsoluteForm(method: string, url: string): RequestTarget | Unserved {
  const [, scheme, authority, rest] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/i.exec(url) ?? []
  if (scheme === undefined || authority === undefined || rest === undefined) {
    return { status: 400, why: 'this is a proxy: ask it for a whole URL, http://host/path, or for CONNECT host:port' }
  }
  if (scheme.toLowerCase() !== 'http') {
    return {
      status: 501,
      why: `${scheme.toLowerCase()}: URLs are not fetched here: ask for CONNECT host:port and speak to the host yourself`,
    }
  }
  if (authority.includes('@')) return { status: 400, why: 'a URL with a user is not taken: send Authorization' }
  const target = readAuthority(authority, 80)
  if (target === undefined) return { status: 400, why: 'the URL has no host, or a port that is none' }
  const path = rest.startsWith('/') ? rest : rest !== '' || method !== 'OPTIONS' ? `/${rest}` : '*'
  return { ...target, authority, path }
}

/** `host:port`, `[::1]:port`; the port may be missing where there is a default. */
export function readAuthority(text: string, defaultPort?: number): Target | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]@/?#]{1,255}))(?::(\d{0,5}))?$/i.exec(text) ?? []
  const host = bracketed ?? plain
  const port = digits ? Number(digits) : defaultPort
  if (host === undefined || port === undefined || port < 1 || port > 65535 || /[^\x21-\x7e]/.test(host))
    return undefined
  return { host, port }
}

/** RFC 9110, section 7.6.1, with what is older. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
])
/** What the sender of a Connection header may not take away: without these the message would be another one. */
const essential: ReadonlySet<string> = new Set(['content-length', 'host'])
/** Fields of a trailer that say how the message is to be read, or who asks: RFC 9110, section 6.5.1. */
const notInTrailer: ReadonlySet<string> = new Set([
  ...hopByHop,
  ...essential,
  'authorization',
  'content-encoding',
  'content-type',
  'cookie',
  'set-cookie',
  'trailer',
])

const pseudonym = 'tunless'

/** Of a request: without what is of this hop, with the target's Host first, and framed as it came. */
export function requestHeaders(
  raw: readonly string[],
  authority: string,
  isChunked: boolean,
  maxForwards: number | undefined,
): string[] {
  const headers = ['Host', authority]
  const drop = namedByConnection(raw).add('host')
  if (maxForwards !== undefined) {
    drop.add('max-forwards')
    headers.push('Max-Forwards', String(maxForwards))
  }
  for (const [name, value] of pairs(raw)) if (!drop.has(name.toLowerCase())) headers.push(name, value)
  if (isChunked) headers.push('Transfer-Encoding', 'chunked')
  headers.push('Via', `1.1 ${pseudonym}`)
  return headers
}

/** Of a response: without what is of the other hop. */
export function responseHeaders(raw: readonly string[]): string[] {
  const headers: string[] = []
  const drop = namedByConnection(raw)
  for (const [name, value] of pairs(raw)) if (!drop.has(name.toLowerCase())) headers.push(name, value)
  headers.push('Via', `1.1 ${pseudonym}`)
  return headers
}

/** Of a trailer, as pairs. */
export function trailerFields(raw: readonly string[]): [name: string, value: string][] {
  return pairs(raw).filter(([name]) => !notInTrailer.has(name.toLowerCase()))
}

/** How often a header is there. */
export function countHeader(raw: readonly string[], name: string): number {
  return pairs(raw).filter(([each]) => each.toLowerCase() === name).length
}

function namedByConnection(raw: readonly string[]): Set<string> {
  const names = new Set(hopByHop)
  for (const [name, value] of pairs(raw)) {
    if (name.toLowerCase() !== 'connection') continue
    for (const option of value.toLowerCase().split(',')) if (!essential.has(option.trim())) names.add(option.trim())
  }
  return names
}

function pairs(raw: readonly string[]): [name: string, value: string][] {
  const list: [string, string][] = []
  for (let i = 0; i + 1 < raw.length; i += 2) list.push([raw[i] as string, raw[i + 1] as string])
  return list
}
