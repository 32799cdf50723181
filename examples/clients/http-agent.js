// node:http and node:https, and what is built on them (axios, got, most SDKs): an agent opens and keeps the connections.
//   HEALTH_URL=https://app.internal:8443/health node http-agent.js deploy.conf
// prints
//   200 healthy
import http from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import { openTunnel } from 'tunless'

const url = new URL(process.env.HEALTH_URL)
const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const isTls = url.protocol === 'https:'
const agent = isTls ? tunnel.httpsAgent() : tunnel.httpAgent()
try {
  const response = await new Promise((resolve, reject) => {
    const { get } = isTls ? https : http
    get(url, { agent }, resolve).on('error', reject)
  })
  console.log(response.statusCode, (await text(response)).trim())
} finally {
  agent.destroy()
  await tunnel.close()
}
