// The values of a configuration, one reader a kind. Each takes the text after '=' and throws a Problem that says what is wrong
// with it and what to write; none ever shows a key.
import { formatAddress, type IpAddress, type Prefix, parseAddress, parsePrefix } from '../base/address.js'
import { decodeKey, keyLength } from '../base/base64.js'
import { isTag } from '../base/tag.js'
import { Problem, shown } from './problem.js'
import type { DnsRouteConfig, EndpointConfig, HostConfig } from './types.js'

/** Least MTU of IPv4 hosts (RFC 791) and of IPv6 links (RFC 8200 section 5). */
export const leastMtu = 576
export const leastMtuIpv6 = 1280
/** What a UDP datagram can carry: 65535 - 20 (IPv4) - 8 (UDP) - 32 (WireGuard), rounded down to WireGuard's padding. */
export const mostMtu = 65472

export function readKey(text: string): Uint8Array {
  const key = decodeKey(text)
  if (key !== undefined) return key
  const remedy = 'a key is 44 characters of base64, as `wg genkey` and `wg pubkey` print it'
  if (text.length !== 44) throw new Problem(`the key has ${text.length} characters`, remedy)
  throw new Problem(`the key is not base64 of ${keyLength} bytes`, remedy)
}

/** A whole number in decimal. */
export function readNumber(text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^\d{1,10}$/.test(text) || value < least || value > most) {
    throw new Problem(`${shown(text)} is out of range`, `write a whole number from ${least} to ${most}`)
  }
  return value
}

/** Seconds; undefined for `off` and 0. */
export function readKeepalive(text: string): number | undefined {
  if (text.toLowerCase() === 'off') return undefined
  return readNumber(text, 0, 65535) || undefined
}

/** AllowedIPs: may be empty or `(none)`, as `wg show` prints it. */
export function readPrefixes(text: string): Prefix[] {
  if (text === '' || text.toLowerCase() === '(none)') return []
  return items(text).map(item => {
    const prefix = parsePrefix(item)
    if (prefix === undefined)
      throw new Problem(`${shown(item)} is not an address range`, 'write one as 10.7.0.0/24 or fd00::/64')
    return prefix
  })
}

/** The Interface's Address: host bits are kept, and an address alone is a network of its own. */
export function readOwnAddresses(text: string): Prefix[] {
  return items(text).map(item => {
    const network = parsePrefix(item)
    const address = parseAddress(item.replace(/\/.*$/s, ''))
    if (network === undefined || address === undefined) {
      throw new Problem(`${shown(item)} is not an address`, 'write it as 10.7.0.2/24 or fd00::2/64')
    }
    refuseGroup(address)
    return { address, length: network.length }
  })
}

/** Addresses of one host, with /32 or /128 allowed. */
export function readAddresses(text: string): IpAddress[] {
  return items(text).map(item => {
    const prefix = parsePrefix(item)
    if (prefix === undefined || prefix.length !== prefix.address.length * 8) {
      throw new Problem(`${shown(item)} is not the address of one host`, 'write it as 10.7.0.2 or fd00::2')
    }
    refuseGroup(prefix.address)
    return prefix.address
  })
}

function refuseGroup(address: IpAddress): void {
  const first = address[0] as number
  const isGroup = address.length === 4 ? first >= 224 : first === 0xff
  if (isGroup || address.every(byte => byte === 0)) {
    throw new Problem(`${formatAddress(address)} is no host's own address`, 'use a unicast address')
  }
}

/** `192.0.2.1:51820`, `[2001:db8::1]:51820` or `vpn.example.com:51820`. */
export function readEndpoint(text: string): EndpointConfig {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(text)
  if (match === null) {
    const remedy =
      parseAddress(text)?.length === 16
        ? 'write [ADDRESS]:PORT'
        : 'write HOST:PORT, with an IPv6 address as [ADDRESS]:PORT'
    throw new Problem(`${shown(text)} has no port`, remedy)
  }
  const [, bracketed, plain, digits] = match
  const host = bracketed ?? plain ?? ''
  const port = Number(digits)
  if (!/^\d{1,5}$/.test(digits as string) || port < 1 || port > 65535) {
    throw new Problem(`${shown(digits as string)} is not a port`, 'write a number from 1 to 65535')
  }
  if (
    bracketed !== undefined ? parseAddress(host)?.length !== 16 : parseAddress(host) === undefined && !isHostName(host)
  ) {
    const remedy = 'write an IPv4 address, an IPv6 address in brackets (without %zone), or a name in ASCII'
    throw new Problem(`${shown(host)} is not a host`, remedy)
  }
  return { host, port }
}

/** A name for this host, a peer or a host behind one: letters, digits, '-', '_' and dots between. */
export function readName(text: string): string {
  if (!isHostName(text) || text.endsWith('.')) {
    throw new Problem(`${shown(text)} is not a name`, "use letters, digits, '-' and '.', as in a host name")
  }
  return text
}

/** Tags, separated by commas or spaces, with or without `tag:`; each is returned as `tag:NAME`. */
export function readTags(text: string): string[] {
  return items(text, /[\s,]+/).map(item => {
    const tag = `tag:${item.replace(/^tag:/i, '')}`
    if (!isTag(tag)) {
      throw new Problem(`${shown(item)} is not a tag`, "a tag is a letter and then letters, digits or '-', as tag:web")
    }
    return tag
  })
}

/** `NAME ADDRESS…` */
export function readHost(text: string): HostConfig {
  const [name = '', ...addresses] = items(text, /[\s,]+/)
  if (addresses.length === 0) throw new Problem(`${shown(text)} has no address`, 'write Host = NAME ADDRESS')
  return { name: readName(name), addresses: readAddresses(addresses.join(',')) }
}

/** `DNS`: an address is a server, a name a search domain. */
export function readDns(text: string): { servers: IpAddress[]; search: string[] } {
  const servers: IpAddress[] = []
  const search: string[] = []
  for (const item of items(text)) {
    const address = parseAddress(item)
    if (address !== undefined) servers.push(address)
    else if (isHostName(item)) search.push(item)
    else
      throw new Problem(`${shown(item)} is neither an address nor a domain`, 'write DNS = 10.7.0.1, example.internal')
  }
  return { servers, search }
}

/** `DOMAIN… SERVER…`: each domain with all the servers. A dot before a domain says no more than that it is one. */
export function readDnsRoute(text: string): DnsRouteConfig[] {
  const domains: string[] = []
  const servers: IpAddress[] = []
  for (const item of items(text, /[\s,]+/)) {
    const address = parseAddress(item)
    const domain = item.replace(/^\./, '').replace(/\.$/, '')
    if (address !== undefined) servers.push(address)
    else if (isHostName(domain)) domains.push(domain)
    else throw new Problem(`${shown(item)} is neither a domain nor an address`, dnsRouteRemedy)
  }
  if (domains.length === 0) throw new Problem(`${shown(text)} has no domain`, dnsRouteRemedy)
  if (servers.length === 0) throw new Problem(`${shown(text)} has no address of a server`, dnsRouteRemedy)
  return domains.map(suffix => ({ suffix, servers }))
}

const dnsRouteRemedy = 'write DNSRoute = corp.example 10.7.0.53'

/** Digits and dots alone are an address that went wrong, never a name. */
function isHostName(text: string): boolean {
  return (
    text.length <= 253 &&
    /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/.test(
      text,
    ) &&
    /[^\d.]/.test(text)
  )
}

function items(text: string, separator: RegExp = /,/): string[] {
  const list = text.split(separator).map(item => item.trim())
  if (list.includes('')) throw new Problem('an item of the list is empty', 'remove the extra comma, or write the value')
  return list
}
