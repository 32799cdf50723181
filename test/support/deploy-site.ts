// What the deploy jobs of the recipes deploy to: `web1`, a host with sshd and a health page that only the tunnel reaches.
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPayload, startServices } from './interop.js'
import { createLink, farInside, type Link } from './link.js'
import type { Network } from './netns.js'
import { startSshd } from './sshd.js'

export interface DeploySite {
  readonly link: Link
  /** The runner's configuration, in which web1, db and registry.internal are names. */
  readonly conf: string
  /** The private key that web1 takes, and its line of known_hosts. */
  readonly sshKey: string
  readonly knownHosts: string
  /** A folder of web1 to deploy to, empty at first. */
  folder(): string
  /** What a recipe says, with a folder and a user that exist here. */
  adapt(script: string, folder: string): string
}

export async function createDeploySite(network: Network): Promise<DeploySite> {
  const link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
  const hosts = ['web1', 'db', 'registry.internal'].map(name => `Host = ${name} ${farInside[4]}\n`).join('')
  const conf = readFileSync(link.conf, 'utf8').replace('Address =', `${hosts}Address =`)
  writeFileSync(link.conf, conf)
  await startSshd(network, link)
  await startServices(network.far, createPayload(network, 1000))
  const read = (name: string) => readFileSync(join(network.folder, 'ssh', name), 'utf8')
  let count = 0
  return {
    link,
    conf,
    sshKey: read('user'),
    knownHosts: read('known_hosts').replace(farInside[4], 'web1'),
    folder() {
      const folder = join(network.folder, `site-${count++}`)
      mkdirSync(folder)
      return folder
    },
    adapt: (script, folder) => script.replaceAll('deploy@web1', 'root@web1').replaceAll('/srv/www', folder),
  }
}

/** The page of the release that is current. */
export function currentPage(folder: string): string {
  return readFileSync(join(folder, readlinkSync(join(folder, 'current')), 'index.html'), 'utf8')
}
