// The far side of the download: sends without end to whoever connects. serve.js CONF_TEXT; prints its UDP port.
import { openTunnel } from '../../dist/index.js'

const tunnel = await openTunnel({ text: process.argv[2] })
const chunk = Buffer.alloc(1 << 20, 'flood')
tunnel
  .createServer(socket => {
    const send = () => {
      while (socket.write(chunk));
    }
    socket.on('drain', send)
    socket.on('error', () => {})
    send()
  })
  .listen(9, () => process.send({ port: tunnel.port }))
process.on('disconnect', () => process.exit())
