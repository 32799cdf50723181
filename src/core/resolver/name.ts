// Host names as a person writes them: what is one (RFC 1123, section 2.1, with '_'), and which full names it may stand for.

export type CheckedName =
  /** `name` in lower case without the final dot; with that dot it is `absolute`, and no search domain applies. */
  { readonly name: string; readonly absolute: boolean; readonly problem?: undefined } | { readonly problem: string }

/** RFC 1035, section 2.3.4: 255 bytes with a length before each label and the root's at the end. */
const longestName = 253
const longestLabel = 63

export function checkName(text: string): CheckedName {
  const absolute = text.endsWith('.')
  const written = absolute ? text.slice(0, -1) : text
  if (written === '') return { problem: 'it is empty' }
  if (written.length > longestName) return { problem: `it is longer than ${longestName} characters` }
  if (!/^[A-Za-z0-9_.-]+$/.test(written)) {
    const problem = "it has a character that no host name has: use letters, digits, '-' and '.'"
    return { problem: /[^\0-\x7f]/.test(written) ? `${problem}, and the xn-- form of anything else` : problem }
  }
  const name = written.toLowerCase()
  const labels = name.split('.')
  if (labels.includes('')) return { problem: 'there is nothing between two of its dots' }
  if (labels.some(label => label.length > longestLabel)) {
    return { problem: `there are more than ${longestLabel} characters between two of its dots` }
  }
  if (/^\d+$/.test(labels.at(-1) as string)) return { problem: 'it is neither a name nor an address' }
  if (labels.at(-1) === 'localhost') return { problem: 'nothing in a tunnel is localhost' }
  return { name, absolute }
}

/** The full names to ask for, in order. */
export function expandName(
  name: string,
  absolute: boolean,
  { search, ndots }: { search: readonly string[]; ndots: number },
): string[] {
  if (absolute) return [name]
  const searched = search.map(domain => `${name}.${domain}`).filter(full => full.length <= longestName)
  const dots = name.split('.').length - 1
  return dots >= ndots ? [name, ...searched] : [...searched, name]
}

/** `.Corp.Example.` as `corp.example`. */
export function plainDomain(domain: string): string {
  return domain.toLowerCase().replace(/^\./, '').replace(/\.$/, '')
}
