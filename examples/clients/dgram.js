// UDP: `createSocket` gives a socket with the face of node:dgram's, on the tunnel's own address.
//   node dgram.js deploy.conf app.internal 8125
// prints
//   echoed: releases:1|c
import { once } from 'node:events'
import { openTunnel } from 'tunless'

const [conf, host, port] = process.argv.slice(2)
const tunnel = await openTunnel(conf)
try {
  const socket = tunnel.createSocket()
  socket.send('releases:1|c', Number(port), host)
  const [message] = await once(socket, 'message', { signal: AbortSignal.timeout(30_000) })
  console.log('echoed:', message.toString())
  socket.close()
} finally {
  await tunnel.close()
}
