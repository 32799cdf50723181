// Reads a netmap file: who is who, as JSON. docs/netmap.schema.json is its published form; comments and trailing commas may stand
// in it, as in a policy file. What cannot be used is an error with its place, and a file with an error is used in no part.
import { type IpAddress, type Prefix, parseAddress, parsePrefix, unmapAddress } from '../base/address.js'
import { decodeKey, encodeKey } from '../base/base64.js'
import { isTag } from '../base/tag.js'
import { type Diagnostic, Diagnostics, type Place } from './diagnostics.js'
import { type HuJson, type HuJsonMember, quoted, readHuJson } from './hujson.js'
import { checkNetmap, type Netmap, type NetmapNode } from './netmap.js'
import type { PolicyDocument } from './types.js'

/** Bounds on a netmap file, each with a default in {@link defaultNetmapLimits}. */
export interface NetmapLimits {
  /** UTF-16 units of text. */
  readonly maxTextLength: number
  readonly maxNodes: number
}

export const defaultNetmapLimits: NetmapLimits = { maxTextLength: 16 * 1024 * 1024, maxNodes: 65_536 }

export interface NetmapFile {
  /** Of use only without errors. */
  readonly netmap: Netmap
  /** Where each node stands, by its index. */
  readonly places: readonly Place[]
  readonly diagnostics: readonly Diagnostic[]
}

const maxDepth = 8
const start: Place = { line: 1, column: 1 }
const hostName = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i

/** Never throws on content. */
export function parseNetmap(text: string, limits: Partial<NetmapLimits> = {}): NetmapFile {
  const { maxTextLength, maxNodes } = { ...defaultNetmapLimits, ...limits }
  const reader = new Reader(maxNodes)
  if (text.length > maxTextLength) {
    reader.diagnostics.error(
      start,
      'too-long',
      `the file is longer than ${maxTextLength} characters: split the network`,
    )
  } else if (/^\ufeff?\s*$/.test(text)) {
    reader.diagnostics.error(start, 'syntax', 'the file is empty: a netmap is an object, { "nodes": [] } for instance')
  } else {
    const value = readHuJson(text, maxDepth, reader.diagnostics)
    if (value !== undefined) reader.readFile(value)
  }
  return { netmap: reader.netmap, places: reader.places, diagnostics: reader.diagnostics.list() }
}

/** What is wrong with the nodes beside each other, and under a policy, with their places. */
export function checkNetmapFile({ netmap, places }: NetmapFile, document?: PolicyDocument): Diagnostic[] {
  return [...checkNetmap(netmap, document), ...sharedKeys(netmap.nodes)].map(({ code, node, message }) => {
    const { line, column } = places[node] ?? start
    return { severity: 'error', line, column, code, message }
  })
}

/** Whoever has the key would speak for both. A configuration has each key once, or says itself that it does not. */
function sharedKeys(nodes: readonly NetmapNode[]): { code: string; node: number; message: string }[] {
  const names = new Map<string, string>()
  return nodes.flatMap(({ name, key }, node) => {
    if (key === undefined) return []
    const first = names.get(key.join())
    if (first === undefined) names.set(key.join(), name)
    const message = `${first} and ${name} both have the key ${encodeKey(key).slice(0, 8)}…: each node has its own`
    return first === undefined ? [] : [{ code: 'key-claimed-twice', node, message }]
  })
}

type Field = Readonly<Record<string, (value: HuJson) => void>>

class Reader {
  readonly diagnostics = new Diagnostics()
  readonly places: Place[] = []
  readonly #maxNodes: number
  readonly #nodes: NetmapNode[] = []
  #domain: string | undefined
  #groups: Record<string, readonly string[]> | undefined

  constructor(maxNodes: number) {
    this.#maxNodes = maxNodes
  }

  get netmap(): Netmap {
    return {
      ...(this.#domain !== undefined && { domain: this.#domain }),
      nodes: this.#nodes,
      ...(this.#groups !== undefined && { groups: this.#groups }),
    }
  }

  readFile(value: HuJson): void {
    let hasNodes = false
    this.#readObject(value, 'a netmap', {
      $schema: () => {},
      domain: domain => {
        this.#domain = this.#matching(domain, hostName, 'a domain, corp.example for instance')?.toLowerCase()
      },
      nodes: nodes => {
        hasNodes = true
        this.#readNodes(nodes)
      },
      groups: groups => {
        this.#groups = this.#readGroups(groups)
      },
    })
    if (value.kind === 'object' && !hasNodes) {
      this.diagnostics.error(value.place, 'missing-field', '"nodes" is missing: list the nodes, [] if there are none')
    }
  }

  #readNodes(value: HuJson): void {
    const items = this.#items(value, 'nodes')
    if (items.length > this.#maxNodes) {
      this.diagnostics.error(value.place, 'too-many', `there are more than ${this.#maxNodes} nodes: split the network`)
      return
    }
    for (const item of items) this.#readNode(item)
  }

  #readNode(value: HuJson): void {
    const node: { -readonly [Key in keyof NetmapNode]: NetmapNode[Key] } = {
      name: '',
      addresses: [],
      tags: [],
      routes: [],
    }
    this.#readObject(value, 'a node', {
      name: name => {
        node.name = this.#matching(name, hostName, "a name: letters, digits, '-' and '.', as in a host name") ?? ''
      },
      key: key => {
        const bytes = key.kind === 'string' ? decodeKey(key.value) : undefined
        if (bytes !== undefined) node.key = bytes
        // Not shown: it might be a private one.
        else this.#wrong(key, 'a public key: 44 characters of base64, as `wg pubkey` prints it', false)
      },
      addresses: addresses => {
        node.addresses = this.#list(addresses, 'addresses', item => this.#address(item))
      },
      tags: tags => {
        node.tags = this.#list(tags, 'tags', item => this.#tag(item))
      },
      user: user => {
        node.user = this.#matching(user, /^\S+@\S*$/, 'a login, alice@example.com for instance') ?? ''
      },
      roles: roles => {
        node.roles = this.#list(roles, 'roles', item =>
          this.#matching(item, /^[a-z-]{1,64}$/, 'a role, admin for instance'),
        )
      },
      routes: routes => {
        node.routes = this.#list(routes, 'routes', item => this.#prefix(item))
      },
      expiry: expiry => {
        const time = expiry.kind === 'string' ? readTime(expiry.value) : undefined
        if (time !== undefined) node.expiry = time
        else this.#wrong(expiry, 'a time, 2027-01-31T12:00:00Z for instance')
      },
    })
    if (value.kind !== 'object') return
    for (const field of ['name', 'addresses']) {
      if (value.members.some(({ key }) => key === field)) continue
      this.diagnostics.error(value.place, 'missing-field', `a node has no "${field}": add it`)
    }
    this.#nodes.push(node)
    this.places.push(value.place)
  }

  #readGroups(value: HuJson): Record<string, readonly string[]> {
    const groups: Record<string, readonly string[]> = {}
    if (value.kind !== 'object') this.#wrong(value, 'an object: each group with its logins')
    else {
      for (const { key, place, value: logins } of value.members) {
        if (/^group:\S+$/.test(key)) {
          groups[key] = this.#list(logins, key, item => this.#matching(item, /^\S+@\S*$/, 'a login'))
        } else this.diagnostics.error(place, 'wrong-value', `${quoted(key)} is no group: write group:NAME@DOMAIN`)
      }
    }
    return groups
  }

  #readObject(value: HuJson, what: string, fields: Field): void {
    if (value.kind !== 'object') {
      this.#wrong(value, `${what}: an object`)
      return
    }
    for (const member of value.members) {
      const read = Object.hasOwn(fields, member.key) ? fields[member.key] : undefined
      if (read === undefined) this.#unknown(member, what, fields)
      else read(member.value)
    }
  }

  #unknown({ key, place }: HuJsonMember, what: string, fields: Field): void {
    const known = Object.keys(fields).filter(field => !field.startsWith('$'))
    this.diagnostics.error(place, 'unknown-field', `${what} has no field ${quoted(key)}: it knows ${known.join(', ')}`)
  }

  #items(value: HuJson, what: string): readonly HuJson[] {
    if (value.kind === 'array') return value.items
    this.#wrong(value, `an array of ${what}`)
    return []
  }

  #list<T>(value: HuJson, what: string, read: (item: HuJson) => T | undefined): T[] {
    return this.#items(value, what).flatMap(item => read(item) ?? [])
  }

  #matching(value: HuJson, pattern: RegExp, what: string): string | undefined {
    if (value.kind === 'string' && value.value.length <= 253 && pattern.test(value.value)) return value.value
    this.#wrong(value, what)
    return undefined
  }

  #tag(value: HuJson): string | undefined {
    if (value.kind === 'string' && isTag(value.value)) return value.value
    this.#wrong(value, 'a tag, tag:web for instance')
    return undefined
  }

  #address(value: HuJson): IpAddress | undefined {
    const address = value.kind === 'string' ? parseAddress(value.value) : undefined
    if (address !== undefined) return unmapAddress(address)
    this.#wrong(value, 'the address of one host, 10.7.0.3 for instance')
    return undefined
  }

  #prefix(value: HuJson): Prefix | undefined {
    const prefix = value.kind === 'string' ? parsePrefix(value.value) : undefined
    if (prefix !== undefined) return prefix
    this.#wrong(value, 'an address range, 192.168.4.0/24 for instance')
    return undefined
  }

  #wrong(value: HuJson, expected: string, isShown = true): void {
    const found =
      value.kind === 'string' && isShown
        ? quoted(value.value)
        : `a${/^[aeiou]/.test(value.kind) ? 'n' : ''} ${value.kind}`
    this.diagnostics.error(value.place, 'wrong-value', `${found} stands where a value is needed: write ${expected}`)
  }
}

/** RFC 3339 with its offset; without one it would be another time on every host. */
function readTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
