// A transfer that lives through rekeys: rekey.mjs INSTALLATION CONF HOST {"bytesPerSecond":…,"timers":{…}} opens a tunnel with these
// timers, downloads http://HOST:8000/payload at that pace, and prints its digest and the handshakes meanwhile as JSON.
import { get } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { digest } from './services.mjs'

const [installation, conf, host, options] = process.argv.slice(2)
const { openTunnel } = await import(
  pathToFileURL(createRequire(join(installation, 'package.json')).resolve('tunless')).href
)

const { bytesPerSecond, timers } = JSON.parse(options)
const tunnel = await openTunnel(conf, { timers })
try {
  await tunnel.ready()
  let rekeys = 0
  tunnel.on('handshake', () => rekeys++)
  const response = await new Promise((resolve, reject) => {
    const path = `/payload?rate=${bytesPerSecond}`
    get({ path, createConnection: () => tunnel.connect({ host, port: 8000 }) }, resolve).on('error', reject)
  })
  console.log(JSON.stringify({ ...(await digest(response)), rekeys }))
} finally {
  await tunnel.close()
}
