// A deploy script: waits until each target answers through the tunnel, uploads an artifact to it, and compares what arrived.
// Any error ends it with exit status 1 and a reason that says what to check.
//   node deploy.js [CONF] [HOST…]
import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { openTunnel, TunnelError } from 'tunless'
import { openPracticeGateway } from './lib/practice-gateway.js'

const [conf, ...hosts] = process.argv.slice(2)
const practice = conf === undefined ? await openPracticeGateway() : undefined
const artifact = randomBytes(4_000_000)
const sha256 = createHash('sha256').update(artifact).digest('hex')

const tunnel = await openTunnel(conf ?? { text: practice.conf })
try {
  for (const host of hosts.length > 0 ? hosts : ['web1', 'web2']) {
    await tunnel.ready({ target: { host, port: 8000 }, timeout: 10_000 })
    if ((await upload(host, artifact)) !== sha256) throw new Error(`${host} received something else`)
    console.log(`${host}: ${artifact.length} bytes, sha256 ${sha256.slice(0, 16)}…`)
  }
} catch (error) {
  console.error(error instanceof TunnelError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
} finally {
  await tunnel.close()
  await practice?.close()
}

async function upload(host, body) {
  const response = await new Promise((resolve, reject) => {
    const createConnection = () => tunnel.connect({ host, port: 8000 })
    request({ host, method: 'PUT', path: '/artifact', createConnection }, resolve).on('error', reject).end(body)
  })
  return (await response.setEncoding('utf8').toArray()).join('')
}
