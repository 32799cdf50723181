// A server in the tunnel, such as one that waits for the callback of a deploy: `createServer` listens on the tunnel's own address
// and opens no port of this host. An HTTP server takes its connections.
//   node server.js deploy.conf 8000
// prints, once something in the tunnel has asked for /done
//   /done from 10.7.0.1
import { createServer } from 'node:http'
import { openTunnel } from 'tunless'

const [conf, port] = process.argv.slice(2)
const tunnel = await openTunnel(conf)
try {
  await tunnel.ready()
  const request = await new Promise((resolve, reject) => {
    const http = createServer((request, response) => {
      response.setHeader('connection', 'close').end('thank you\n')
      request.socket.once('close', () => resolve(request))
    })
    const server = tunnel.createServer(socket => http.emit('connection', socket))
    server.on('error', reject).listen(Number(port))
  })
  console.log(request.url, 'from', request.socket.remoteAddress)
} finally {
  await tunnel.close()
}
