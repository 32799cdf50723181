// An HTTP request to a host that only the tunnel reaches: any client that takes a connection works, node:http here.
//   node http-request.js [CONF] [HOST]
import { get } from 'node:http'
import { openTunnel } from 'tunless'
import { openPracticeGateway } from './lib/practice-gateway.js'

const practice = process.argv[2] === undefined ? await openPracticeGateway() : undefined
const tunnel = await openTunnel(process.argv[2] ?? { text: practice.conf })
const host = process.argv[3] ?? 'web1'
try {
  await tunnel.ready()
  const response = await new Promise((resolve, reject) => {
    get({ host, path: '/health', createConnection: () => tunnel.connect({ host, port: 8000 }) }, resolve).on(
      'error',
      reject,
    )
  })
  console.log(response.statusCode, (await response.setEncoding('utf8').toArray()).join('').trim())
} finally {
  await tunnel.close()
  await practice?.close()
}
