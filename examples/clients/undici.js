// undici of your own version: `connector()` is the `connect` option of its Agent, Pool and Client, TLS included.
//   HEALTH_URL=https://app.internal:8443/health node undici.js deploy.conf
// prints
//   200 healthy
import { openTunnel } from 'tunless'
import { Agent, request } from 'undici'

const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const dispatcher = new Agent({ connect: tunnel.connector() })
try {
  const { statusCode, body } = await request(process.env.HEALTH_URL, { dispatcher })
  console.log(statusCode, (await body.text()).trim())
} finally {
  await dispatcher.close()
  await tunnel.close()
}
