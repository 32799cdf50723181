// The files that `tunless policy` works on: `-` is stdin, once. What is wrong in a file is told, not thrown: it is what the commands are for.
import { parseConfig } from '../../core/config/config.js'
import { diagnosticsUnder } from '../../core/policy/clauses.js'
import type { Diagnostic } from '../../core/policy/diagnostics.js'
import { checkNetmap, type Netmap, type NetmapNode } from '../../core/policy/netmap.js'
import { checkNetmapFile, type NetmapFile, parseNetmap } from '../../core/policy/netmap-file.js'
import { parsePolicy } from '../../core/policy/policy.js'
import type { PolicyDocument } from '../../core/policy/types.js'
import { TunnelError } from '../../errors.js'
import { readSecretFile } from '../../node/load-config.js'
import { netmapOfPeers } from '../../node/policy/netmap-of-peers.js'
import { liveOf, readText } from '../../node/policy/source.js'
import { createLog } from '../log.js'
import { readStdin } from '../stdin.js'
import { type Message, messagesOf } from './messages.js'

/** Who is who, for the commands that can look at real nodes. */
export interface WhoOptions {
  /** A netmap file; it goes before {@link config}. */
  readonly netmap?: string
  /** A configuration, whose peers' names, addresses and tags are the netmap. */
  readonly config?: string
}

export interface PolicyFile {
  readonly file: string
  readonly document: PolicyDocument
  readonly messages: readonly Message[]
}

/** A netmap without who is expired. */
export interface Who {
  readonly netmap: Netmap
  readonly messages: readonly Message[]
  /** What is wrong with it under a policy. */
  check(document?: PolicyDocument): Message[]
}

/** What is to be said of a policy beside a netmap. */
export function messagesUnder({ file, document }: PolicyFile, who: Who | undefined): readonly Message[] {
  return messagesOf(file, diagnosticsUnder(document, who?.netmap))
}

/** Bytes: more than any of the files may have. */
const longestStdin = 64 * 1024 * 1024

export class Files {
  #stdinTaken = false

  /** Rejects with POLICY_UNREADABLE. */
  async policy(path: string): Promise<PolicyFile> {
    const { name: file, text } = await this.#read(path, 'policy')
    const document = parsePolicy(text)
    return { file, document, messages: messagesOf(file, document.diagnostics) }
  }

  /** Undefined where none was given: then selectors stand for themselves. Rejects as {@link policy}, and with CONFIG_… codes. */
  async who({ netmap, config }: WhoOptions): Promise<Who | undefined> {
    if (netmap !== undefined) {
      const { name, text } = await this.#read(netmap, 'netmap')
      return whoOfFile(name, parseNetmap(text))
    }
    if (config === undefined) return undefined
    const name = config === '-' ? 'stdin' : config
    const warn = (message: string) => createLog('normal').warn(message)
    const text = config === '-' ? (await this.#read('-', 'netmap')).text : await readSecretFile(config, warn)
    const { interface: own, peers } = parseConfig(text, name)
    return whoOfPeers(name, netmapOfPeers(own, undefined, peers))
  }

  async #read(path: string, what: 'policy' | 'netmap'): Promise<{ name: string; text: string }> {
    if (path !== '-') return readText(path, what)
    this.takeStdin()
    return { name: 'stdin', text: await readStdin(longestStdin, 'POLICY_UNREADABLE') }
  }

  /** Throws USAGE the second time. */
  takeStdin(): void {
    if (this.#stdinTaken) throw new TunnelError('USAGE', '- stands twice, and stdin is one file: name the other')
    this.#stdinTaken = true
  }
}

function whoOfFile(name: string, file: NetmapFile): Who {
  const netmap = liveOf(file.netmap)
  const live = new Set(netmap.nodes)
  const places = file.places.filter((_, i) => live.has(file.netmap.nodes[i] as NetmapNode))
  const check = (document?: PolicyDocument): Diagnostic[] =>
    checkNetmapFile({ netmap, places, diagnostics: [] }, document)
  return {
    netmap,
    messages: messagesOf(name, file.diagnostics),
    check: document => messagesOf(name, check(document)),
  }
}

function whoOfPeers(file: string, netmap: Netmap): Who {
  return {
    netmap,
    messages: [],
    check: document =>
      checkNetmap(netmap, document).map(({ code, message }) => ({ file, severity: 'error', code, message })),
  }
}
