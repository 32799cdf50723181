// What a start loads: the time until a first byte is mostly that.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bin, run, scratch, silentConf } from './cli-support.js'

/** Prints at the end which files were required, and which of Node's own modules were loaded. */
const spy = `process.on('exit', () => process.stderr.write('loaded ' + JSON.stringify({
  files: Object.keys(require.cache).filter(file => file !== __filename),
  own: process.moduleLoadList.filter(name => name.startsWith('NativeModule ')).map(name => name.slice(13)),
}) + '\\n'))`

async function loadedBy(args: (directory: string) => string[]): Promise<{ files: string[]; own: string[] }> {
  const directory = scratch()
  const spyFile = join(directory, 'spy.cjs')
  writeFileSync(spyFile, spy)
  const { stderr } = await run(args(directory), directory, { NODE_OPTIONS: `--require ${spyFile}` })
  return JSON.parse(/^loaded (.*)$/m.exec(stderr)?.[1] ?? '')
}

describe('a start of the command', () => {
  it('reads one file beside its shim, dependencies included', async () => {
    for (const args of [['-V'], ['genkey']]) {
      expect((await loadedBy(() => args)).files).toEqual([bin, join(bin, '../cli/main.cjs')])
    }
  })

  it('loads neither a resolver nor what reads streams for a configuration in a file, with an address as Endpoint', async () => {
    const { files, own } = await loadedBy(directory => ['up', '--timeout', '50ms', '-c', silentConf(directory)])
    expect(files).toEqual([bin, join(bin, '../cli/main.cjs')])
    expect(own).toContain('dgram')
    for (const name of [
      'dns/promises',
      'fs/promises',
      'internal/readline/interface',
      '_http_client',
      'internal/crypto/webcrypto',
    ]) {
      expect(own).not.toContain(name)
    }
  })

  it('opens no socket and no cipher for its help', async () => {
    const { own } = await loadedBy(() => ['--help'])
    for (const name of ['crypto', 'dns/promises', 'internal/readline/interface']) expect(own).not.toContain(name)
  })
})
