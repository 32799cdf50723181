// What the examples of examples/clients talk to where Node is the server: gRPC's health service on 50051, with TLS on 50052; HTTP and
// WebSocket echo on 8080, with TLS on 8443; UDP echo on 8125. Arguments: the address, the certificate, its key. It runs beside the
// packages of the examples.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { promisify } from 'node:util'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { WebSocketServer } from 'ws'

const [address, certificate, privateKey] = process.argv.slice(2)
const [cert, key] = [certificate, privateKey].map(path => readFileSync(path))

const { Health } = grpc.loadPackageDefinition(loadSync('lib/health.proto')).grpc.health.v1
const rpc = new grpc.Server()
rpc.addService(Health.service, { Check: (_, answer) => answer(null, { status: 'SERVING' }) })
const bind = promisify(rpc.bindAsync).bind(rpc)
await bind(`${address}:50051`, grpc.ServerCredentials.createInsecure())
await bind(`${address}:50052`, grpc.ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]))

for (const [server, port] of [
  [createServer(), 8080],
  [createTlsServer({ cert, key }), 8443],
]) {
  server.on('request', (_, response) => response.end('healthy\n'))
  new WebSocketServer({ server }).on('connection', socket => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  server.listen(port, address)
  await once(server, 'listening')
}

const echo = createSocket('udp4')
echo.on('message', (message, { port, address }) => echo.send(message, port, address)).bind(8125, address)
await once(echo, 'listening')
console.log('listening')
