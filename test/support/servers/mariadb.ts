// MariaDB with TLS, on port 3306. Its database is `app`.
import { join } from 'node:path'
import type { Program } from '../process.js'
import { account, mustAsNobody, ownFolder, type Site, startAsNobody } from './unprivileged.js'

export async function startMariadb(site: Site): Promise<Program> {
  const { user, password } = account
  const sql = [
    'CREATE DATABASE app;',
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON app.* TO '${user}'@'%';`,
  ]
  const folder = ownFolder(site, 'mariadb', { 'init.sql': `${sql.join('\n')}\n` })
  const data = `--datadir=${join(folder, 'data')}`
  const small = ['--innodb-log-file-size=8M', '--innodb-buffer-pool-size=16M', '--innodb-flush-log-at-trx-commit=0']
  const install = ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db', ...small]
  await mustAsNobody(site, folder, 'mariadb-install-db', install)
  const server = startAsNobody(site, folder, 'mariadbd', [
    '--no-defaults',
    data,
    ...small,
    '--skip-name-resolve',
    `--bind-address=${site.address}`,
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    `--init-file=${join(folder, 'init.sql')}`,
    `--ssl-cert=${site.certificate}`,
    `--ssl-key=${site.key}`,
  ])
  await server.prints(/ready for connections/, 60_000)
  return server
}
