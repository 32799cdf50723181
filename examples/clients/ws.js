// WebSocket with ws: `agent` opens the connection, and speaks TLS for wss:.
//   WS_URL=ws://app.internal:8080/deploys node ws.js deploy.conf
// prints
//   echoed: release 1.2.3
import { once } from 'node:events'
import { openTunnel } from 'tunless'
import { WebSocket } from 'ws'

const url = process.env.WS_URL
const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const agent = url.startsWith('wss:') ? tunnel.httpsAgent() : tunnel.httpAgent()
try {
  const socket = new WebSocket(url, { agent })
  await once(socket, 'open')
  socket.send('release 1.2.3')
  const [message] = await once(socket, 'message')
  console.log('echoed:', message.toString())
  socket.close()
  await once(socket, 'close')
} finally {
  agent.destroy()
  await tunnel.close()
}
