// Our side as the responder: respond.mjs INSTALLATION CONF PAYLOAD opens a tunnel that has no Endpoint and serves HTTP in it
// on port 8000, to be dialled by the kernel's TCP on the other host. Each handshake prints a line.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { httpService } from './services.mjs'

const [installation, conf, file] = process.argv.slice(2)
const { openTunnel } = await import(
  pathToFileURL(createRequire(join(installation, 'package.json')).resolve('tunless')).href
)

const tunnel = await openTunnel(conf)
tunnel.on('handshake', () => console.log('handshake'))
const http = httpService(file)
const server = tunnel.createServer(socket => http.emit('connection', socket))
server.listen(8000, () => console.log('listening'))
process.once('SIGTERM', () => {
  server.close()
  tunnel.close()
})
