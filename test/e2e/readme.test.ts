// What README.md shows is what its commands print, and its first five minutes work from an empty folder with the tarball alone.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packed, projectRoot } from '../support/tarball.js'

const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8')
const hasCurl = spawnSync('curl', ['--version']).error === undefined

function readmeScript(...args: string[]) {
  const script = join(projectRoot, 'scripts', 'readme.js')
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
  return { status, stderr }
}

describe.runIf(hasCurl)('README.md', () => {
  it('shows what its commands print', { timeout: 240_000 }, () => {
    expect(readmeScript()).toEqual({ status: 0, stderr: '' })
  })

  it('leads from an empty folder to a request through the tunnel in four commands', { timeout: 300_000 }, async () => {
    const [, block] = /^```console\n(\$ npm i .*?)^```$/ms.exec(readme) ?? []
    expect(block?.match(/^\$ .*/gm)).toHaveLength(4)
    expect(block).toMatch(/^ok$/m)
    expect(readmeScript(`--install=${await packed()}`)).toEqual({ status: 0, stderr: '' })
  })

  it('names the tarball of this version', () => {
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))
    expect(readme).toContain(`./tunless-${version}.tgz`)
  })
})

/** `## What goes out by the host` as GitHub anchors it. */
function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    (title as string)
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

const pages = readdirSync(join(projectRoot, 'docs')).filter(name => name.endsWith('.md'))

it.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages.map(name => `docs/${name}`)])(
  'the links of %s lead to files and headings that are there',
  page => {
    const path = join(projectRoot, page)
    const links = [...readFileSync(path, 'utf8').matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
    const broken = links.filter(([, file = '', anchor]) => {
      const target = file === '' ? path : join(dirname(path), file)
      if (!existsSync(target)) return true
      return anchor !== undefined && !anchors(readFileSync(target, 'utf8')).includes(anchor)
    })
    expect(broken.map(([link]) => link)).toEqual([])
  },
)
