// Reads a wg-quick(8) configuration, with the keys that tunless adds. Whatever cannot be used is an error with file, line, the
// thing and the remedy; what is valid for wg-quick and has no effect here becomes a note.
import { formatAddress, formatPrefix } from '../base/address.js'
import { encodeKey } from '../base/base64.js'
import { createDraft, type Draft, finishInterface, finishPeer, takeValue } from './draft.js'
import { type KeyRule, keys, nearest, type Section, suggestKey } from './keys.js'
import { type Line, readLines, shownKey } from './lines.js'
import { invalid, Problem, shown } from './problem.js'
import type { Config, InterfaceConfig, PeerConfig } from './types.js'
import { leastMtuIpv6 } from './values.js'

type Entry = Extract<Line, { kind: 'entry' }>

interface Reading {
  readonly source: string
  readonly sections: Draft[]
  /** Peers' names so far, in lower case. */
  readonly peerNames: Set<string>
  readonly notes: string[]
}

/**
 * Returns the configuration that `text` says; `source` is the file's name for messages.
 * Throws CONFIG_INVALID, and nothing else, whatever the text.
 */
export function parseConfig(text: string, source: string): Config {
  const reading: Reading = { source, sections: [], peerNames: new Set(), notes: [] }
  const lines = readLines(text, source)
  for (const line of lines) {
    if (line.kind === 'section') reading.sections.push(openSection(line.name, line.line, source))
    else if (line.comment) readComment(line, reading)
    else readEntry(line, reading)
  }
  const own = readInterface(reading)
  const peers = readPeers(reading)
  return { source, interface: own, peers, notes: reading.notes }
}

function openSection(name: string, line: number, source: string): Draft {
  const sections: Section[] = ['Interface', 'Peer']
  const section = sections.find(known => known.toLowerCase() === name.toLowerCase())
  if (section !== undefined) return createDraft(section, line)
  const near = nearest(name, sections)
  const remedy = near === undefined ? 'there are only [Interface] and [Peer]' : `did you mean [${near}]?`
  throw invalid(source, line, new Problem(`unknown section ${shown(name)}`, remedy))
}

function readEntry(entry: Entry, { source, sections, peerNames, notes }: Reading): void {
  const draft = sections.at(-1)
  if (draft === undefined) {
    throw invalid(source, entry.line, new Problem('a key before the first section', 'begin the file with [Interface]'))
  }
  const rule = keys[draft.section].get(entry.key.toLowerCase())
  if (rule === undefined) {
    const thing = `${shownKey(entry.key, entry.value)} under [${draft.section}]`
    throw invalid(source, entry.line, new Problem(thing, suggestKey(entry.key, draft.section)))
  }
  const first = draft.seen.get(rule.name)
  if (first !== undefined && !rule.repeats) {
    const remedy = `keep one, or begin another section (the first is on line ${first})`
    throw invalid(source, entry.line, new Problem(`${rule.name} stands twice in one [${draft.section}]`, remedy))
  }
  if (rule.ignored !== undefined) {
    notes.push(`${source}:${entry.line}: ${rule.name} is ignored: ${rule.ignored}`)
    return
  }
  const problem = tryValue(entry, rule, draft)
  if (problem !== undefined) throw invalid(source, entry.line, new Problem(rule.name, problem.text))
  if (draft.section === 'Peer' && draft.name !== undefined) peerNames.add(draft.name.toLowerCase())
}

/** A comment that cannot be used is left alone with a note: people write comments too, and wg-quick loads such a file. */
function readComment(entry: Entry, { source, sections, peerNames, notes }: Reading): void {
  const draft = sections.at(-1)
  const rule = draft && keys[draft.section].get(entry.key.toLowerCase())
  if (draft === undefined || !rule?.own) return
  const skip = (why: string) => notes.push(`${source}:${entry.line}: the comment's ${rule.name} is ignored: ${why}`)
  const first = draft.seen.get(rule.name)
  const isPeerName = draft.section === 'Peer' && rule.name === 'Name'

  if (entry.aboveHeader) skip('it stands above a section; write it below the header')
  else if (first !== undefined && !rule.repeats) skip(`${rule.name} was given on line ${first}`)
  else if (isPeerName && peerNames.has(entry.value.toLowerCase())) skip('another [Peer] has this name')
  else {
    const problem = tryValue(entry, rule, draft)
    if (problem !== undefined) skip(problem.text)
    else if (isPeerName) peerNames.add(entry.value.toLowerCase())
  }
}

/** Puts the entry's value into the draft; returns what is wrong with it. */
function tryValue(entry: Entry, rule: KeyRule, draft: Draft): Problem | undefined {
  try {
    if (entry.value === '' && rule.name !== 'AllowedIPs')
      throw new Problem('it has no value', 'write one, or remove the line')
    takeValue(draft, rule.name, entry.value)
    if (!draft.seen.has(rule.name)) draft.seen.set(rule.name, entry.line)
    return undefined
  } catch (problem) {
    if (problem instanceof Problem) return problem
    throw problem
  }
}

function readInterface({ source, sections }: Reading): InterfaceConfig {
  const [draft, second] = sections.filter(candidate => candidate.section === 'Interface')
  if (draft === undefined) {
    throw invalid(
      source,
      1,
      new Problem('no [Interface] section', 'begin the file with [Interface], PrivateKey and Address'),
    )
  }
  if (second !== undefined) {
    const remedy = `merge it with the one on line ${draft.line}; the other side goes under [Peer]`
    throw invalid(source, second.line, new Problem('a second [Interface] section', remedy))
  }
  const own = finishInterface(draft)
  if (own.addresses.length === 0) {
    const remedy = "add 'Address = 10.7.0.2/24', as the other side expects it"
    throw invalid(source, draft.line, new Problem('[Interface] has no Address', remedy))
  }
  const known = new Set<string>()
  const texts = own.addresses.map(prefix => formatAddress(prefix.address))
  const repeated = texts.find(text => known.has(text) || !known.add(text))
  if (repeated !== undefined) {
    throw invalid(source, draft.line, new Problem(`Address ${repeated} stands twice`, 'keep one of them'))
  }
  if (own.mtu !== undefined && own.mtu < leastMtuIpv6 && own.addresses.some(prefix => prefix.address.length === 16)) {
    const problem = new Problem(`MTU ${own.mtu} with an IPv6 Address`, `IPv6 needs at least ${leastMtuIpv6}`)
    throw invalid(source, draft.seen.get('MTU') ?? draft.line, problem)
  }
  return own
}

/** There may be none: they can come later, as wg(8) has it. */
function readPeers({ source, sections, notes }: Reading): PeerConfig[] {
  const drafts = sections.filter(draft => draft.section === 'Peer')
  const peers = drafts.map(draft => {
    if (draft.publicKey !== undefined) return finishPeer(draft, draft.publicKey)
    throw invalid(source, draft.line, new Problem('[Peer] has no PublicKey', "add the other side's PublicKey"))
  })
  refuseSame(peers, source, 'PublicKey', 'merge the two sections, AllowedIPs included', peer =>
    encodeKey(peer.publicKey),
  )
  refuseSame(peers, source, 'Name', 'give each its own', peer => peer.name?.toLowerCase())
  noteSameRanges(peers, source, notes)
  return peers
}

function refuseSame(
  peers: readonly PeerConfig[],
  source: string,
  what: string,
  remedy: string,
  id: (peer: PeerConfig) => string | undefined,
): void {
  const lineOf = new Map<string, number>()
  for (const peer of peers) {
    const text = id(peer)
    if (text === undefined) continue
    const first = lineOf.get(text)
    if (first !== undefined) {
      throw invalid(
        source,
        peer.line,
        new Problem(`this [Peer] has the same ${what} as the one on line ${first}`, remedy),
      )
    }
    lineOf.set(text, peer.line)
  }
}

/** As in wg(8), a range belongs to one peer, the last that claims it. */
function noteSameRanges(peers: readonly PeerConfig[], source: string, notes: string[]): void {
  const lineOf = new Map<string, number>()
  for (const peer of peers) {
    for (const prefix of peer.allowedIps) {
      const text = formatPrefix(prefix)
      const first = lineOf.get(text)
      if (first !== undefined) {
        notes.push(
          `${source}:${peer.line}: this [Peer] takes ${text} from the one on line ${first}: a range has one peer`,
        )
      }
      lineOf.set(text, peer.line)
    }
  }
}
