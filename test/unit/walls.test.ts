// The walls of the house: which room may import which other, and which packages. CONTRIBUTING.md draws the same map.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readImports } from '../support/imports.js'

interface Wall {
  /** Rooms this one may import, besides itself and errors.ts, by path; a room stands for all that is in it. */
  rooms: string[]
  /** Packages it may import. */
  packages: string[]
}

const noble = ['@noble/ciphers', '@noble/curves', '@noble/hashes']

// A file belongs to the longest path here that it starts with.
const walls: Record<string, Wall> = {
  'errors.ts': { rooms: [], packages: [] },
  'index.ts': { rooms: ['app', 'node', 'proxy', 'core'], packages: [] },
  'bin.cjs': { rooms: ['cli'], packages: ['node:'] },
  cli: { rooms: ['app'], packages: ['node:', 'commander'] },
  app: { rooms: ['app/bench', 'proxy', 'node', 'core'], packages: ['node:'] },
  'app/bench': { rooms: ['app', 'proxy', 'node', 'core'], packages: ['node:', 'tinybench'] },
  proxy: { rooms: ['node', 'core/wire', 'core/base'], packages: ['node:'] },
  node: { rooms: ['node/crypto', 'core'], packages: ['node:', 'undici'] },
  'node/crypto': { rooms: ['core'], packages: ['node:', ...noble] },
  testing: { rooms: ['core'], packages: [] },
  'core/host': {
    rooms: ['core/wireguard', 'core/netstack', 'core/policy', 'core/wire', 'core/base', 'core/crypto'],
    packages: [],
  },
  'core/wireguard': { rooms: ['core/crypto', 'core/wire', 'core/base'], packages: [] },
  'core/netstack': { rooms: ['core/wire', 'core/base'], packages: [] },
  'core/resolver': { rooms: ['core/wire', 'core/base'], packages: [] },
  'core/policy': { rooms: ['core/wire', 'core/base'], packages: ['jsonc-parser'] },
  'core/config': { rooms: ['core/wire', 'core/base'], packages: [] },
  'core/crypto': { rooms: ['core/base'], packages: [] },
  'core/crypto/noble': { rooms: ['core/crypto', 'core/base'], packages: noble },
  'core/wire': { rooms: ['core/base'], packages: [] },
  'core/base': { rooms: [], packages: ['ipaddr.js', 'tweetnacl-util'] },
}

/** The complaints about one file of src/, given by its path there; empty where it keeps the walls. */
function check(file: string, source: string): string[] {
  const room = roomOf(file)
  if (room === undefined) return [`${file}: belongs to no room`]
  const wall = walls[room] as Wall
  const complaints: string[] = []
  for (const { specifier, line } of readImports(source)) {
    const refuse = (what: string) => complaints.push(`${file}:${line}: ${room} may not import ${what}`)
    if (specifier === undefined) refuse('what is computed')
    else if (specifier.startsWith('.')) {
      const target = normalize(join(dirname(file), specifier))
      if (target.startsWith('..')) refuse(specifier)
      else if (!mayEnter(room, wall, target)) refuse(target)
    } else if (
      !wall.packages.some(name => specifier === name || specifier.startsWith(name.endsWith(':') ? name : `${name}/`))
    )
      refuse(specifier)
  }
  return complaints
}

function mayEnter(room: string, wall: Wall, target: string): boolean {
  if (target === 'errors.js' || roomOf(target) === room) return true
  return wall.rooms.some(allowed => target.startsWith(`${allowed}/`))
}

function roomOf(path: string): string | undefined {
  return Object.keys(walls)
    .filter(room => path === room || path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => /\.[cm]?[jt]s$/.test(path) && !path.startsWith('node/crypto/simd/assembly'))
    .sort()
}

describe('the walls', () => {
  const src = join(import.meta.dirname, '..', '..', 'src')

  it('hold in every file of src/', () => {
    const files = filesOf(src)
    expect(files).toContain('errors.ts')
    expect(files.flatMap(file => check(file, readFileSync(join(src, file), 'utf8')))).toEqual([])
  })

  it.each([
    ['core/netstack/tcp.ts', `import { Device } from '../wireguard/device.js'`],
    ['core/netstack/tcp.ts', `import type { Device } from '../wireguard/device.js'`],
    ['core/wireguard/device.ts', `export { Stack } from '../netstack/stack.js'`],
    ['core/wireguard/device.ts', `import {\n  type Stack,\n  other,\n} from "../netstack/stack.js"`],
    ['core/config/parse.ts', `import { readFileSync } from 'node:fs'`],
    ['core/wire/ip.ts', `import '../../node/loop.js'`],
    ['core/wire/ip.ts', `type Loop = import('../../node/loop.js').Loop`],
    ['core/base/text.ts', `const { x } = await import('../wire/ip.js')`],
    ['core/base/text.ts', `import { chacha20poly1305 } from '@noble/ciphers/chacha.js'`],
    ['core/crypto/crypto.ts', `export * from './noble/crypto.js'`],
    ['testing/clock.ts', `import { openTunnel } from '../node/tunnel.js'`],
    ['node/tunnel.ts', `import { listen } from '../proxy/socks5.js'`],
    ['proxy/socks5.ts', `import { Stack } from '../core/netstack/stack.js'`],
    ['app/up.ts', `import { main } from '../cli/main.js'`],
    ['cli/up.ts', `import { openTunnel } from '../node/tunnel.js'`],
    ['app/up.ts', `const name = './' + what; import(name)`],
    ['app/up.ts', `import { helper } from '../../test/support/helper.js'`],
    ['app/up.ts', `import ssh2 from 'ssh2'`],
    ['elsewhere/a.ts', ''],
  ])('are closed to %s with: %s', (file, source) => {
    expect(check(file, source)).toHaveLength(1)
  })

  it.each([
    [
      'core/host/host.ts',
      `import { Device } from '../wireguard/device.js'\nimport type { Stack } from '../netstack/stack.js'`,
    ],
    [
      'core/netstack/tcp/sender.ts',
      `import { x } from '../ports.js'\nimport { TunnelError } from '../../../errors.js'`,
    ],
    ['proxy/socks5.ts', `import type { TunnelSocket } from '../node/socket.js'\nimport net from 'node:net'`],
    ['core/crypto/noble/aead.ts', `import { chacha20poly1305 } from '@noble/ciphers/chacha.js'`],
    [
      'core/wire/ip.ts',
      `// import '../../node/loop.js'\n/* import '../netstack/stack.js' */ const a = \`import '../host/host.js'\``,
    ],
    ['core/wire/ip.ts', `export const from = { import: 'x' }, text = 'of'\nexport const other = Array.from('abc')`],
  ])('are open to %s with: %s', (file, source) => {
    expect(check(file, source)).toEqual([])
  })
})
