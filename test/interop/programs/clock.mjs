// A wall clock that is stepped back by an hour: clock.mjs INSTALLATION CONF prints as JSON how many handshakes a running tunnel had
// afterwards, what a tunnel that is opened then comes to, and one after the clock is right again.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [installation, conf] = process.argv.slice(2)
const { openTunnel } = await import(
  pathToFileURL(createRequire(join(installation, 'package.json')).resolve('tunless')).href
)

const rightNow = Date.now
let offset = 0
Date.now = () => rightNow() + offset

const timers = { rekeyAfterTime: 500, rekeyTimeout: 500 }

async function standsWith(use) {
  const tunnel = await openTunnel(conf, { timers })
  try {
    await tunnel.ready({ timeout: 4000 })
    return await use?.(tunnel)
  } finally {
    await tunnel.close()
  }
}

const running = await standsWith(async tunnel => {
  let handshakes = 0
  tunnel.on('handshake', () => handshakes++)
  offset = -3_600_000
  const end = performance.now() + 8000
  while (handshakes < 3 && performance.now() < end) await tunnel.ping('10.7.0.1', { timeout: 2000 })
  return handshakes
})
const opened = await standsWith().then(
  () => 'stands',
  error => error.code,
)
offset = 0
const right = await standsWith().then(
  () => 'stands',
  error => error.code,
)
console.log(JSON.stringify({ running, opened, right }))
