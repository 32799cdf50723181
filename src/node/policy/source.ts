// The files of a policy and a netmap: read, parsed, and refused as a whole where they have an error. Whoever asked for a policy gets
// no tunnel without it.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Diagnostic } from '../../core/policy/diagnostics.js'
import type { Netmap } from '../../core/policy/netmap.js'
import { type NetmapFile, parseNetmap } from '../../core/policy/netmap-file.js'
import { hasErrors, parsePolicy } from '../../core/policy/policy.js'
import type { PolicyDocument } from '../../core/policy/types.js'
import { TunnelError, type TunnelErrorCode } from '../../errors.js'

/** A string or file: URL is a path, `{ text }` is the text itself. */
export type PolicySource = string | URL | { readonly text: string; readonly name?: string }

/** A file that was read and can be used. */
export interface ReadPolicy {
  /** For messages. */
  readonly name: string
  readonly document: PolicyDocument
  /** SHA-256 of the text. */
  readonly digest: string
}

export interface ReadNetmap extends NetmapFile {
  readonly name: string
}

/** Problems that one message shows. */
const shownProblems = 5

/** Rejects with POLICY_UNREADABLE or POLICY_INVALID. */
export async function readPolicy(source: PolicySource): Promise<ReadPolicy> {
  const { name, text } = await readText(source, 'policy')
  const document = parsePolicy(text)
  if (hasErrors(document)) throw refused('POLICY_INVALID', name, document.diagnostics)
  return { name, document, digest: createHash('sha256').update(text).digest('hex') }
}

/** Rejects with POLICY_UNREADABLE or NETMAP_INVALID. */
export async function readNetmap(source: PolicySource): Promise<ReadNetmap> {
  const { name, text } = await readText(source, 'netmap')
  const file = parseNetmap(text)
  if (file.diagnostics.some(({ severity }) => severity === 'error')) {
    throw refused('NETMAP_INVALID', name, file.diagnostics)
  }
  return { name, ...file }
}

/** Without who is expired. */
export function liveOf(netmap: Netmap): Netmap {
  const wall = Date.now()
  return { ...netmap, nodes: netmap.nodes.filter(({ expiry = Number.POSITIVE_INFINITY }) => expiry > wall) }
}

/** The error that names the first of these problems. */
export function refused(code: TunnelErrorCode, name: string, diagnostics: readonly Diagnostic[]): TunnelError {
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  const told = errors.slice(0, shownProblems).map(each => `${name}:${each.line}:${each.column}: ${each.message}`)
  const more = errors.length > shownProblems ? ` (and ${errors.length - shownProblems} more)` : ''
  return new TunnelError(code, `${told.join('; ')}${more}`)
}

/** `file:line:col: warning: …`. */
export function warningsOf(name: string, diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics
    .filter(({ severity }) => severity === 'warning')
    .map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`)
}

/** Rejects with POLICY_UNREADABLE or USAGE. */
export async function readText(
  source: PolicySource,
  what: 'policy' | 'netmap',
): Promise<{ name: string; text: string }> {
  if (typeof source === 'object' && !(source instanceof URL)) {
    if (typeof source?.text === 'string') return { name: source.name ?? what, text: source.text }
    throw new TunnelError('USAGE', `${what}: a path, a file: URL or { text } was expected`)
  }
  const path = source instanceof URL ? fileURLToPath(source) : source
  if (typeof path !== 'string' || path === '') {
    throw new TunnelError('USAGE', `${what}: a path, a file: URL or { text } was expected, not ${String(path)}`)
  }
  try {
    return { name: path, text: await readFile(path, 'utf8') }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const known = { ENOENT: 'there is no such file', EACCES: 'permission denied', EISDIR: 'it is a directory' }
    const reason = known[code as keyof typeof known] ?? message
    throw new TunnelError('POLICY_UNREADABLE', `cannot read the ${what} ${path}: ${reason}`, { cause })
  }
}
