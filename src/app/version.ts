// The version, from the package's own description. Two folders below it, as the command's bundle is, too.
import { readFileSync } from 'node:fs'

export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return version
}
