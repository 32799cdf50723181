// A tunnel that is looked into: traced.mjs INSTALLATION CONF {"tunnel":…,"ping":HOST,"handshakes":N} opens it with these options, and
// pings HOST through it until N handshakes are done and a few pings were answered. Prints its port and what it counted as JSON.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const [installation, conf, json] = process.argv.slice(2)
const { openTunnel } = await import(
  pathToFileURL(createRequire(join(installation, 'package.json')).resolve('tunless')).href
)

const { tunnel: options, ping, handshakes } = JSON.parse(json)
const tunnel = await openTunnel(conf, options)
let count = 0
tunnel.on('handshake', () => count++)
tunnel.on('warning', message => console.error(message))
console.error('open')
let answered = 0
while (count < handshakes || answered < 3) {
  await tunnel.ping(ping, { timeout: 500 }).then(
    () => answered++,
    () => {},
  )
  await sleep(50)
}
const { port } = tunnel
const { device } = tunnel.stats()
await tunnel.close()
console.log(JSON.stringify({ port, handshakes: count, answered, cookiesGiven: device.cookieRepliesSent }))
