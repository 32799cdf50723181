// gRPC with @grpc/grpc-js. It takes no connection of ours but, as `unix:`, the path of a socket that leads to one.
//   GRPC_TARGET=app.internal:50051 node grpc-js.js deploy.conf
// prints
//   health: SERVING
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { openTunnel } from 'tunless'
import { openForward } from './lib/forward.js'

const proto = fileURLToPath(new URL('lib/health.proto', import.meta.url))
const { Health } = grpc.loadPackageDefinition(loadSync(proto, { enums: String })).grpc.health.v1
const [host, port] = process.env.GRPC_TARGET.split(':')
const credentials = process.env.GRPC_TLS ? grpc.credentials.createSsl() : grpc.credentials.createInsecure()

const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const forward = await openForward(tunnel, { host, port: Number(port) })
const client = new Health(`unix:${forward.path}`, credentials, {
  'grpc.default_authority': host, // what the server sees
  'grpc.ssl_target_name_override': host, // what its certificate is checked for
})
try {
  const { status } = await promisify(client.check).call(client, { service: '' })
  console.log('health:', status)
} finally {
  client.close()
  await forward.close()
  await tunnel.close()
}
