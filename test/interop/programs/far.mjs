// The far host's services on the kernel's TCP: far.mjs PAYLOAD. HTTP on 8000, half-closed requests on 8001, echo on 8002.
import { createServer } from 'node:net'
import { echoService, halfClosedService, httpService } from './services.mjs'

const [file] = process.argv.slice(2)
const servers = [
  [httpService(file), 8000],
  [createServer({ allowHalfOpen: true }, socket => halfClosedService(socket, file)), 8001],
  [createServer(echoService), 8002],
]
await Promise.all(servers.map(([server, port]) => new Promise(resolve => server.listen(port, '::', 1024, resolve))))
console.log('listening')
