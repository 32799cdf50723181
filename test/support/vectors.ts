// The files of vectors/. With TUNLESS_VECTORS_REPORT, a folder, it is noted there which of their values a test looked at:
// scripts/check-vectors.js compares that with what the files hold.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const report = process.env.TUNLESS_VECTORS_REPORT
let count = 0

/** A file of vectors/, which must say where it comes from. To be called at a test file's top level. */
export function loadVectors<T>(name: string): T {
  const file = JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'))
  if (typeof file.source !== 'string') throw new Error(`vectors/${name}.json names no source`)
  if (report === undefined) return file
  const seen = new Set<string>()
  afterAll(() => {
    mkdirSync(report, { recursive: true })
    writeFileSync(join(report, `${name}.${process.pid}.${count++}.json`), JSON.stringify([...seen]))
  })
  return watched(file, '', seen)
}

/** The same value, which notes the paths of the plain values that are read. */
function watched<T extends object>(value: T, path: string, seen: Set<string>): T {
  return new Proxy(value, {
    get(target, key, receiver) {
      const found = Reflect.get(target, key, receiver)
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return found
      const at = `${path}/${key}`
      if (typeof found === 'object' && found !== null) return watched(found, at, seen)
      seen.add(at)
      return found
    },
  })
}
