// Servers of Debian's packages, started by a test as a user without rights, each with a folder of its own on a host of the rig.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '../netns.js'
import { must, type Program } from '../process.js'
import { runFolder } from '../run-folder.js'

/** Debian's `nobody` and `nogroup`. */
const user = 65534

/** A host, the address that servers listen on there, and what they show of themselves. */
export interface Site {
  readonly host: Host
  readonly address: string
  /** PEM files in a folder that everybody may enter. */
  readonly folder: string
  readonly certificate: string
  readonly key: string
}

export const account = { user: 'deploy', password: 'secret' } as const

/** `names`: those of the certificate, which signs itself. The folder goes with the run's. */
export async function createSite(host: Host, address: string, names: readonly string[]): Promise<Site> {
  const folder = mkdtempSync(join(runFolder(), 'servers-'))
  chmodSync(folder, 0o755)
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  const alternatives = [...names.map(name => `DNS:${name}`), `IP:${address}`].join(',')
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const content = ['-subj', '/CN=Servers of a test', '-addext', `subjectAltName=${alternatives}`]
  await must('openssl', ['req', ...kind, ...content, '-keyout', key, '-out', certificate])
  chownSync(key, user, user)
  return { host, address, folder, certificate, key }
}

/** A folder that belongs to the servers' user, with these files in it. */
export function ownFolder(site: Site, name: string, files: Record<string, string> = {}): string {
  const folder = join(site.folder, name)
  mkdirSync(folder, { mode: 0o700 })
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(folder, file), text, { mode: 0o600 })
    chownSync(join(folder, file), user, user)
  }
  chownSync(folder, user, user)
  return folder
}

const drop = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--']

/** Runs a program of a server's to its end, in its folder. */
export function mustAsNobody(site: Site, cwd: string, command: string, args: string[]): Promise<string> {
  return site.host.must('setpriv', [...drop, command, ...args], { cwd, env: environment(cwd) })
}

/** Starts a server in its folder. */
export function startAsNobody(site: Site, cwd: string, command: string, args: string[], env = {}): Program {
  return site.host.start('setpriv', [...drop, command, ...args], { cwd, env: { ...environment(cwd), ...env } })
}

function environment(home: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', HOME: home, TMPDIR: home }
}
