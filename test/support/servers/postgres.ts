// PostgreSQL with TLS, on port 5432. Its database is `postgres`.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Program } from '../process.js'
import { account, mustAsNobody, ownFolder, type Site, startAsNobody } from './unprivileged.js'

const versions = '/usr/lib/postgresql' // where Debian keeps the programs of each version, which are not on PATH

export async function startPostgres(site: Site): Promise<Program> {
  const folder = ownFolder(site, 'postgres', { password: `${account.password}\n` })
  const newest = Math.max(...readdirSync(versions).map(Number))
  const program = (name: string) => join(versions, String(newest), 'bin', name)
  const data = join(folder, 'data')
  const access = ['--username', account.user, '--pwfile', join(folder, 'password'), '--auth', 'scram-sha-256']
  await mustAsNobody(site, folder, program('initdb'), ['--pgdata', data, ...access, '--no-sync', '--encoding', 'UTF8'])
  await mustAsNobody(site, folder, 'sh', ['-c', 'echo "host all all all scram-sha-256" >> data/pg_hba.conf'])
  const settings = {
    listen_addresses: site.address,
    unix_socket_directories: '',
    fsync: 'off',
    ssl: 'on',
    ssl_cert_file: site.certificate,
    ssl_key_file: site.key,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = startAsNobody(site, folder, program('postgres'), ['-D', data, ...flags])
  await server.prints(/ready to accept connections/, 60_000)
  return server
}
