// Reads a policy file: HuJSON in the dialect of Tailscale's policy files (tailscale.com, "Syntax reference for the tailnet
// policy file" and "Grants syntax").
import type { PolicyDocument } from './types.js'

/** Bounds on a policy file, each with a default in {@link defaultPolicyLimits}. */
export interface PolicyLimits {
  /** UTF-16 units of text. */
  maxTextLength: number
  /** Arrays and objects inside one another. */
  maxDepth: number
  /** Entries of `acls` and `grants` together. */
  maxRules: number
}

export const defaultPolicyLimits: PolicyLimits = {
  maxTextLength: 16 * 1024 * 1024,
  maxDepth: 32,
  maxRules: 65_536,
}

/**
 * Reads the text of a policy file. Never throws on content: what is wrong, has no effect or cannot be evaluated is in
 * `diagnostics`, in the order of the file.
 */
export function parsePolicy(_text: string, _limits: Partial<PolicyLimits> = {}): PolicyDocument {
  throw new Error('not yet')
}

/** Whether the document must be refused. */
export function hasErrors(document: PolicyDocument): boolean {
  return document.diagnostics.some(({ severity }) => severity === 'error')
}
