// The servers that a deploy job talks to, each the real one, on the far host: databases, a registry of images and one of npm, an index
// of Python packages, git over http, DNS.
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { programFile } from './interop.js'
import { farInside } from './link.js'
import type { Network } from './netns.js'
import { must, type Program } from './process.js'
import { startMariadb } from './servers/mariadb.js'
import { startPostgres } from './servers/postgres.js'
import { startRedis } from './servers/redis.js'
import { createSite } from './servers/unprivileged.js'

export const ports = { web: 8080, npm: 4873, postgres: 5432, redis: 6379, mysql: 3306, images: 5000, dns: 53 } as const

const host = farInside[4]
/** Where scripts/install-interop.sh installs it. */
const verdaccio = '/var/lib/tunless-interop/verdaccio/node_modules/verdaccio/bin/verdaccio'

/** Starts all of them and waits until each answers. Files that they serve are in `web` and below. */
export async function startToolServers(network: Network): Promise<{ readonly web: string }> {
  const site = await createSite(network.far, host, [])
  const folder = (name: string) => {
    const path = join(network.folder, name)
    mkdirSync(path)
    return path
  }
  const start = (command: string, ...args: string[]) => network.far.start(command, args)
  const web = folder('web')
  await Promise.all([
    startWeb(start, web),
    startNpm(start, folder('npm')),
    startPostgres(site),
    startMariadb(site),
    startRedis(site),
    startImages(start, folder('images')),
    startDns(start),
  ])
  return { web }
}

type Start = (command: string, ...args: string[]) => Program

const slow = 60_000

async function startWeb(start: Start, folder: string): Promise<void> {
  const repository = join(folder, 'git', 'app.git')
  await must('git', ['init', '-q', '--bare', '-b', 'main', repository])
  await must('git', ['-C', repository, 'config', 'http.receivepack', 'true'])
  mkdirSync(join(folder, 'simple', 'deploytool'), { recursive: true })
  const wheel = 'deploytool-1.0-py3-none-any.whl'
  await must('/usr/bin/python3', ['-c', makeWheel, join(folder, 'simple', 'deploytool', wheel)])
  writeFileSync(join(folder, 'simple', 'deploytool', 'index.html'), `<!DOCTYPE html><a href="${wheel}">${wheel}</a>\n`)
  await start(process.execPath, programFile('web.mjs'), folder, String(ports.web)).prints(/listening/)
}

const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    info = 'deploytool-1.0.dist-info/'
    wheel.writestr('deploytool.py', 'answer = 42\\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: deploytool\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', 'deploytool.py,,\\n' + info + 'METADATA,,\\n' + info + 'WHEEL,,\\n' + info + 'RECORD,,\\n')
`

async function startNpm(start: Start, folder: string): Promise<void> {
  const config = join(folder, 'config.yaml')
  const lines = [
    `storage: ${folder}/storage`,
    'web: { enable: false }',
    "packages: { '**': { access: $all, publish: $all } }",
    'log: { type: stdout, format: pretty, level: http }',
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  await start(process.execPath, verdaccio, '-c', config, '-l', `${host}:${ports.npm}`).prints(/http address/, slow)
}

async function startImages(start: Start, folder: string): Promise<void> {
  const config = join(folder, 'config.yml')
  const storage = `storage: { filesystem: { rootdirectory: ${folder}/storage } }`
  writeFileSync(config, `version: 0.1\n${storage}\nhttp: { addr: '${host}:${ports.images}', secret: test }\n`)
  await start('docker-registry', 'serve', config).prints(/listening on/)
}

async function startDns(start: Start): Promise<void> {
  const dns = start(
    'dnsmasq',
    ...['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--log-facility=-'],
    ...[`--listen-address=${host}`, '--bind-interfaces', `--port=${ports.dns}`],
    '--address=/web1.corp.test/10.7.0.80',
  )
  await dns.prints(/started, version/)
}

/** An image of one file in the layout of OCI, for skopeo to copy. */
export function makeImage(folder: string, layerBytes: Uint8Array): void {
  const blobs = join(folder, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })
  const blob = (mediaType: string, bytes: Uint8Array) => {
    const hex = sha256(bytes)
    writeFileSync(join(blobs, hex), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const json = (value: unknown) => Buffer.from(JSON.stringify(value))
  const tar = tarOf('asset', layerBytes)
  const layer = blob('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar, { level: 1 }))
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    json({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(tar)}`] } }),
  )
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = blob(type, json({ schemaVersion: 2, mediaType: type, config, layers: [layer] }))
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' }
  writeFileSync(join(folder, 'index.json'), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }))
  writeFileSync(join(folder, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
}

/** One file as a ustar archive. */
function tarOf(name: string, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000644\0'.concat('0000000\0'.repeat(2)), 100)
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0${' '.repeat(8)}0`, 124)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512), Buffer.alloc(1024)])
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
