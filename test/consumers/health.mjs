// Asks gRPC's health service, knowing of no tunnel. It runs beside the packages of examples/clients.
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const proto = fileURLToPath(new URL('lib/health.proto', import.meta.url))
const { Health } = grpc.loadPackageDefinition(loadSync(proto, { enums: String })).grpc.health.v1
const client = new Health(process.argv[2], grpc.credentials.createInsecure())
console.log((await promisify(client.check).call(client, { service: '' })).status)
client.close()
