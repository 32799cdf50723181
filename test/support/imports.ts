// Reads the imports of a TypeScript or JavaScript file, types and `import()` included, without a compiler.

export interface Import {
  /** What stands between the quotes; undefined for an `import()` or `require()` of something computed. */
  specifier: string | undefined
  line: number
}

// What may hide an import or look like one: comments and template strings; quoted strings are kept, an import needs them.
const tokens = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|`(?:\\[\s\S]|[^`\\])*`|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g
const fromClause = /\b(?:import|export)\b(?:\s+type\b)?[\w\s{},*$]*?\bfrom\s*(['"])([^'"]+)\1/g
const bareImport = /\bimport\s*(['"])([^'"]+)\1/g
const call = /(?<![.\w$])(?:import|require)\s*\(\s*(?:(['"])([^'"]+)\1)?/g

export function readImports(source: string): Import[] {
  const code = source.replace(tokens, token => (token[0] === '/' || token[0] === '`' ? blank(token) : token))
  const found: Import[] = []
  for (const pattern of [fromClause, bareImport, call])
    for (const match of code.matchAll(pattern)) found.push({ specifier: match[2], line: lineAt(code, match.index) })
  return found.sort((a, b) => a.line - b.line)
}

function blank(token: string): string {
  return token.replace(/[^\n]/g, ' ')
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
