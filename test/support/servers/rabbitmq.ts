// RabbitMQ on port 5672, and with TLS on port 5671.
import { join } from 'node:path'
import type { Program } from '../process.js'
import { account, ownFolder, type Site, startAsNobody } from './unprivileged.js'

const script = '/usr/lib/rabbitmq/bin/rabbitmq-server' // what is on PATH insists on the package's own user

export async function startRabbitmq(site: Site): Promise<Program> {
  const settings = {
    'listeners.tcp.1': `${site.address}:5672`,
    'listeners.ssl.1': `${site.address}:5671`,
    'ssl_options.certfile': site.certificate,
    'ssl_options.keyfile': site.key,
    default_user: account.user,
    default_pass: account.password,
    'log.console': 'true',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  const folder = ownFolder(site, 'rabbitmq', { 'rabbitmq.conf': lines.join(''), plugins: '[].\n' })
  const server = startAsNobody(site, folder, script, [], {
    RABBITMQ_NODENAME: 'rabbit@localhost',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_MNESIA_BASE: folder,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_GENERATED_CONFIG_DIR: folder,
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // Between Erlang's nodes, of which there is one.
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  })
  await server.prints(/Server startup complete/, 90_000)
  return server
}
