// fetch through the tunnel: `tunnel.fetch` is the fetch of undici, with its options and its responses.
//   HEALTH_URL=http://app.internal:8080/health node fetch.js deploy.conf
// prints
//   200 healthy
import { openTunnel } from 'tunless'

const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
try {
  const response = await tunnel.fetch(process.env.HEALTH_URL, { signal: AbortSignal.timeout(30_000) })
  console.log(response.status, (await response.text()).trim())
} finally {
  await tunnel.close()
}
