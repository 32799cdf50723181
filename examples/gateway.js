// A gateway and its client in one process: a TCP server that listens on a tunnel's own address, with no port open on the
// host, and a client that dials it, pings it and speaks to it over a plain socket.
import { buffer } from 'node:stream/consumers'
import { openTunnel } from 'tunless'
import { openPracticeGateway } from './lib/practice-gateway.js'

const gateway = await openPracticeGateway()
const client = await openTunnel({ text: gateway.conf })
try {
  const { peer } = await client.ready()
  console.log(`${peer.name} answered from ${peer.endpoint} in ${peer.rtt.toFixed(1)} ms`)

  const { rtt } = await client.ping('web1')
  console.log(`ping web1: ${rtt.toFixed(1)} ms`)

  const socket = client.connect({ host: 'web1', port: 8000 })
  socket.write('GET / HTTP/1.1\r\nHost: web1\r\nConnection: close\r\n\r\n')
  const answer = (await buffer(socket)).toString()
  console.log(answer.split('\r\n')[0])
} finally {
  await client.close()
  await gateway.close()
}
