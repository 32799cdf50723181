// As much of JSON Schema (draft 2020-12) as our schemas use, written from its sentences: what a schema says of a value.
import { isIP } from 'node:net'

type Schema = { readonly [keyword: string]: unknown }

/** Where the value is not what the schema wants, as paths; a keyword that is not known here throws. */
export function violations(root: Schema, value: unknown, schema: Schema = root, path = '$'): string[] {
  const found: string[] = []
  for (const [keyword, says] of Object.entries(schema)) {
    const check = keywords[keyword]
    if (check === undefined) throw new Error(`${keyword} is not known here`)
    found.push(...check(says as never, value, path, root, schema))
  }
  return found
}

type Check = (says: never, value: unknown, path: string, root: Schema, schema: Schema) => string[]

const nothing: Check = () => []
const fail = (path: string, isBad: boolean) => (isBad ? [path] : [])
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const formats: Record<string, (text: string) => boolean> = {
  ipv4: text => isIP(text) === 4,
  ipv6: text => isIP(text) === 6 && !text.includes('%'),
  'date-time': text =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text)),
}

const keywords: Record<string, Check> = {
  $schema: nothing,
  $defs: nothing,
  title: nothing,
  description: nothing,
  patternProperties: (says: Record<string, Schema>, value, path, root) =>
    isObject(value)
      ? Object.entries(value).flatMap(([key, item]) =>
          Object.entries(says).flatMap(([pattern, schema]) =>
            new RegExp(pattern, 'u').test(key) ? violations(root, item, schema, `${path}.${key}`) : [],
          ),
        )
      : [],
  $ref: (says: string, value, path, root) => {
    const name = says.replace('#/$defs/', '')
    return violations(root, value, (root.$defs as Record<string, Schema>)[name] as Schema, path)
  },
  type: (says: string, value, path) => {
    const type = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
    return fail(path, type !== says)
  },
  required: (says: string[], value, path) =>
    isObject(value) ? says.flatMap(key => fail(`${path}.${key}`, !Object.hasOwn(value, key))) : [],
  additionalProperties: (_says: false, value, path, _root, schema) => {
    if (!isObject(value)) return []
    const known = Object.keys((schema.properties as object) ?? {})
    const patterns = Object.keys((schema.patternProperties as object) ?? {}).map(each => new RegExp(each, 'u'))
    return Object.keys(value).flatMap(key =>
      fail(`${path}.${key}`, !known.includes(key) && !patterns.some(each => each.test(key))),
    )
  },
  properties: (says: Record<string, Schema>, value, path, root) =>
    isObject(value)
      ? Object.entries(says).flatMap(([key, schema]) =>
          Object.hasOwn(value, key) ? violations(root, value[key], schema, `${path}.${key}`) : [],
        )
      : [],
  items: (says: Schema, value, path, root) =>
    Array.isArray(value) ? value.flatMap((item, i) => violations(root, item, says, `${path}[${i}]`)) : [],
  maxItems: (says: number, value, path) => fail(path, Array.isArray(value) && value.length > says),
  maxLength: (says: number, value, path) => fail(path, typeof value === 'string' && value.length > says),
  pattern: (says: string, value, path) => fail(path, typeof value === 'string' && !new RegExp(says, 'u').test(value)),
  format: (says: string, value, path) => {
    const check = formats[says]
    if (check === undefined) throw new Error(`the format ${says} is not known here`)
    return fail(path, typeof value === 'string' && !check(value))
  },
  anyOf: (says: Schema[], value, path, root) =>
    fail(path, !says.some(schema => violations(root, value, schema, path).length === 0)),
}
