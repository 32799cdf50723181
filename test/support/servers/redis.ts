// Redis on port 6379, and with TLS on port 6380. The password is that of the default user.
import type { Program } from '../process.js'
import { account, ownFolder, type Site, startAsNobody } from './unprivileged.js'

export async function startRedis(site: Site): Promise<Program> {
  const settings = {
    bind: site.address,
    requirepass: account.password,
    save: '""',
    'tls-port': 6380,
    'tls-cert-file': site.certificate,
    'tls-key-file': site.key,
    'tls-ca-cert-file': site.certificate,
    'tls-auth-clients': 'no',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`)
  const folder = ownFolder(site, 'redis', { 'redis.conf': lines.join('') })
  const server = startAsNobody(site, folder, 'redis-server', ['redis.conf'])
  await server.prints(/Ready to accept connections/, 60_000)
  return server
}
