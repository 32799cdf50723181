// Redis with ioredis: a `Connector` of our own opens each connection, the first and those after it was lost.
//   REDIS_URL=redis://:secret@redis.internal node ioredis.js deploy.conf
// prints
//   release: 1.2.3
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, Redis } from 'ioredis'
import { openTunnel } from 'tunless'

const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })

class TunnelConnector extends AbstractConnector {
  constructor(options) {
    super(options.disconnectTimeout)
    this.options = options
  }

  async connect() {
    const { host, port, tls } = this.options
    this.connecting = true
    const socket = tunnel.connect({ host, port })
    this.stream = tls ? connectTls({ servername: host, ...tls, socket }) : socket
    return this.stream
  }
}

const redis = new Redis(process.env.REDIS_URL, { Connector: TunnelConnector, maxRetriesPerRequest: 3 })
redis.on('error', error => console.error(error.message))
try {
  await redis.set('release', '1.2.3')
  console.log('release:', await redis.get('release'))
} finally {
  redis.disconnect()
  await tunnel.close()
}
