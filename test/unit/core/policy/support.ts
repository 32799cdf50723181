// A small network and the words of the dialect's tests: what a file allows there, and what is said of it.
import { parseAddress, parsePrefix } from '../../../../src/core/base/address.js'
import { type CompiledPolicy, compilePolicy } from '../../../../src/core/policy/compile.js'
import type { Netmap, NetmapNode } from '../../../../src/core/policy/netmap.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'

export const address = (text: string) => parseAddress(text) as Uint8Array

export function node(
  name: string,
  addresses: string,
  more: Partial<NetmapNode> & { subnets?: string } = {},
): NetmapNode {
  const { subnets, ...rest } = more
  const routes = (subnets ?? '').split(' ').flatMap(text => parsePrefix(text) ?? [])
  return { name, addresses: addresses.split(' ').map(address), tags: [], routes, ...rest }
}

/** Addresses by the names that the tests use. */
export const network: Netmap = {
  nodes: [
    node('laptop', '100.64.0.1 fd7a::1', { user: 'alice@example.com' }),
    node('phone', '100.64.0.2', { user: 'alice@example.com' }),
    node('desktop', '100.64.0.3', { user: 'bob@example.com' }),
    node('partner', '100.64.0.4', { user: 'carol@example.org' }),
    node('web1', '100.64.0.11 fd7a::11', { tags: ['tag:web'] }),
    node('db1', '100.64.0.12', { tags: ['tag:db'], subnets: '10.20.0.0/16' }),
    node('ci1', '100.64.0.13', { tags: ['tag:ci'], user: 'alice@example.com' }),
    node('exit1', '100.64.0.14', { tags: ['tag:exit'], subnets: '0.0.0.0/0 ::/0' }),
  ],
}

const names = {
  tagOwners: { 'tag:web': [], 'tag:db': [], 'tag:ci': [], 'tag:exit': [] },
  groups: { 'group:eng': ['alice@example.com', 'bob@example.com'], 'group:none': [] },
  hosts: { vault: '100.64.0.12', office: '10.20.0.0/16' },
}

/** A file with the names of the network and `parts`. */
export const file = (parts: object) => JSON.stringify({ ...names, ...parts })
/** One entry of acls. */
export const acl = (src: unknown, dst: unknown, more: object = {}) =>
  file({ acls: [{ action: 'accept', src: [src].flat(), dst: [dst].flat(), ...more }] })
/** One entry of grants. */
export const grant = (src: unknown, dst: unknown, ip: unknown, more: object = {}) =>
  file({ grants: [{ src: [src].flat(), dst: [dst].flat(), ip: [ip].flat(), ...more }] })

export function compiled(text: string, netmap: Netmap = network): CompiledPolicy {
  return compilePolicy(parsePolicy(text), netmap)
}

function addressOf(text: string): Uint8Array {
  return parseAddress(text) ?? (network.nodes.find(({ name }) => name === text)?.addresses[0] as Uint8Array)
}

/** Whether it is allowed: `laptop`, `web1:443`, `db1:53/17`. */
export function allows(policy: string, from: string, to: string, netmap: Netmap = network): boolean {
  const match = /^\[?(.*?)\]?:(\d+)(?:\/(\d+))?$/.exec(to) as RegExpExecArray
  const protocol = Number(match[3] ?? 6)
  return (
    compiled(policy, netmap).decide(addressOf(from), addressOf(match[1] as string), protocol, Number(match[2])) >= 0
  )
}

/** Messages of a severity, with their codes. */
export function messages(text: string, severity: 'error' | 'warning'): string[] {
  const { diagnostics } = parsePolicy(text)
  return diagnostics.filter(each => each.severity === severity).map(({ code, message }) => `${code}: ${message}`)
}

export const errors = (text: string) => messages(text, 'error')
export const warnings = (text: string) => messages(text, 'warning')
