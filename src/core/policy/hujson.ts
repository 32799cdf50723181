// Reads HuJSON (JSON with comments and trailing commas) to values that know their place. Tokens are jsonc-parser's; its tree
// is not used, as it mends what it cannot read, and a policy must not be guessed.
import { createScanner, type JSONScanner } from 'jsonc-parser'
import { type Diagnostics, type Place, printable } from './diagnostics.js'

export interface HuJsonMember {
  readonly key: string
  readonly place: Place
  readonly value: HuJson
}

export type HuJson =
  | { readonly kind: 'object'; readonly place: Place; readonly members: readonly HuJsonMember[] }
  | { readonly kind: 'array'; readonly place: Place; readonly items: readonly HuJson[] }
  | { readonly kind: 'string'; readonly place: Place; readonly value: string }
  | { readonly kind: 'number'; readonly place: Place; readonly value: number }
  | { readonly kind: 'boolean'; readonly place: Place; readonly value: boolean }
  | { readonly kind: 'null'; readonly place: Place }

// jsonc-parser declares its kinds as an ambient const enum, which a module compiled by itself cannot use.
const openBrace = 1
const closeBrace = 2
const openBracket = 3
const closeBracket = 4
const comma = 5
const colon = 6
const nullKeyword = 7
const trueKeyword = 8
const falseKeyword = 9
const stringLiteral = 10
const numericLiteral = 11
const lineComment = 12
const trivia = 15
const endOfFile = 17

const scanErrors = [
  '',
  'a comment is not closed: end it with */',
  'a string is not closed: end it with "',
  'a number is not complete',
  'a \\u escape needs four hexadecimal digits',
  'an escape in a string is none of JSON’s: write \\\\ for a backslash',
  'a control character stands in a string: write it as an escape, \\n for instance',
]

/** Ends the reading; only {@link readHuJson} catches it. */
class Stopped extends Error {}

/** The value of `text`, or undefined with an error in `diagnostics`. Depth is checked before it is entered. */
export function readHuJson(text: string, maxDepth: number, diagnostics: Diagnostics): HuJson | undefined {
  try {
    return new Reader(text.startsWith('\ufeff') ? text.slice(1) : text, maxDepth, diagnostics).readAll()
  } catch (error) {
    if (error instanceof Stopped) return undefined
    throw error
  }
}

class Reader {
  readonly #text: string
  readonly #maxDepth: number
  readonly #diagnostics: Diagnostics
  readonly #scanner: JSONScanner
  #token = 0
  #line = 1
  /** Where the line starts, and how far line ends were counted. */
  #lineStart = 0
  #counted = 0

  constructor(text: string, maxDepth: number, diagnostics: Diagnostics) {
    this.#text = text
    this.#maxDepth = maxDepth
    this.#diagnostics = diagnostics
    this.#scanner = createScanner(text, false)
  }

  readAll(): HuJson {
    this.#next()
    if (this.#token === endOfFile) this.#stop('the file is empty: a policy is an object, { "acls": [] } for instance')
    const value = this.#value(1)
    if (this.#token !== endOfFile) this.#stop(`${this.#found()} follows the policy: remove it`)
    return value
  }

  #value(depth: number): HuJson {
    const place = this.#place()
    switch (this.#token) {
      case openBrace:
        return { kind: 'object', place, members: this.#members(depth) }
      case openBracket:
        return { kind: 'array', place, items: this.#items(depth) }
      case stringLiteral: {
        const value = this.#scanner.getTokenValue()
        this.#next()
        return { kind: 'string', place, value }
      }
      case numericLiteral: {
        const value = Number(this.#scanner.getTokenValue())
        this.#next()
        return { kind: 'number', place, value }
      }
      case trueKeyword:
      case falseKeyword: {
        const value = this.#token === trueKeyword
        this.#next()
        return { kind: 'boolean', place, value }
      }
      case nullKeyword:
        this.#next()
        return { kind: 'null', place }
      default:
        return this.#stop(`${this.#found()} stands where a value is expected`)
    }
  }

  #members(depth: number): HuJsonMember[] {
    this.#enter(depth)
    const members: HuJsonMember[] = []
    const places = new Map<string, Place>()
    this.#next()
    while (this.#token !== closeBrace) {
      if (this.#token !== stringLiteral) this.#stop(`${this.#found()} stands where a field’s name in "…" is expected`)
      const place = this.#place()
      const key = this.#scanner.getTokenValue()
      const first = places.get(key)
      if (first === undefined) places.set(key, place)
      else {
        const where = `line ${first.line}, column ${first.column}`
        this.#diagnostics.error(place, 'duplicate-key', `${quoted(key)} stands here and at ${where}: keep one of them`)
      }
      this.#next()
      if (!this.#at(colon)) this.#stop(`${this.#found()} stands where a colon is expected`)
      this.#next()
      members.push({ key, place, value: this.#value(depth + 1) })
      this.#separator(closeBrace, '}')
    }
    this.#next()
    return members
  }

  #items(depth: number): HuJson[] {
    this.#enter(depth)
    const items: HuJson[] = []
    this.#next()
    while (this.#token !== closeBracket) {
      items.push(this.#value(depth + 1))
      this.#separator(closeBracket, ']')
    }
    this.#next()
    return items
  }

  #enter(depth: number): void {
    if (depth > this.#maxDepth)
      this.#stop(`arrays and objects are nested more than ${this.#maxDepth} deep: no policy needs that`, 'too-deep')
  }

  /** A comma, which may trail, or the end. */
  #separator(close: number, sign: string): void {
    if (this.#token === comma) this.#next()
    else if (this.#token !== close) this.#stop(`${this.#found()} stands where a comma or ${sign} is expected`)
  }

  /** To the next token that is no space or comment. */
  #next(): void {
    do this.#token = this.#scanner.scan()
    while (this.#token >= lineComment && this.#token <= trivia && this.#scanner.getTokenError() === 0)
    const problem = this.#scanner.getTokenError()
    if (problem !== 0) this.#stop(scanErrors[problem] ?? 'this cannot be read')
  }

  /** A call, as the compiler does not see that #next() changes the token. */
  #at(token: number): boolean {
    return this.#token === token
  }

  #found(): string {
    if (this.#token === endOfFile) return 'the end of the file'
    const start = this.#scanner.getTokenOffset()
    return quoted(this.#text.slice(start, start + Math.min(this.#scanner.getTokenLength(), 40)))
  }

  /** Of the token. Tokens come in their order, so line ends are counted once. */
  #place(): Place {
    const offset = this.#scanner.getTokenOffset()
    for (; this.#counted < offset; this.#counted++) {
      const code = this.#text.charCodeAt(this.#counted)
      if (code !== 10 && (code !== 13 || this.#text.charCodeAt(this.#counted + 1) === 10)) continue
      this.#line++
      this.#lineStart = this.#counted + 1
    }
    return { line: this.#line, column: offset - this.#lineStart + 1 }
  }

  #stop(message: string, code = 'syntax'): never {
    this.#diagnostics.error(this.#place(), code, message)
    throw new Stopped(message)
  }
}

const longestShown = 80

/** Text of the file for a message: in quotes, cut, without control characters. */
export function quoted(text: string): string {
  const cut = text.length > longestShown ? `${text.slice(0, longestShown)}…` : text
  return `"${printable(cut)}"`
}

/** The value on one line, as JSON; what is deeper than three levels as `…`. */
export function onOneLine(value: HuJson): string {
  return printable(lineOf(value, 3))
}

function lineOf(value: HuJson, depth: number): string {
  switch (value.kind) {
    case 'object':
      if (depth === 0) return '{…}'
      return `{ ${value.members.map(each => `${JSON.stringify(each.key)}: ${lineOf(each.value, depth - 1)}`).join(', ')} }`
    case 'array':
      return depth === 0 ? '[…]' : `[${value.items.map(each => lineOf(each, depth - 1)).join(', ')}]`
    case 'null':
      return 'null'
    default:
      return JSON.stringify(value.value)
  }
}
