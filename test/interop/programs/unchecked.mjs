// Dials through a tunnel that has the policy and does not check its own dials by it, as a hostile runner would not:
// unchecked.mjs INSTALLATION CONF POLICY HOST:PORT… prints what became of each, `open` or the error's code.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [installation, conf, policy, ...targets] = process.argv.slice(2)
const { openTunnel } = await import(
  pathToFileURL(createRequire(join(installation, 'package.json')).resolve('tunless')).href
)

const tunnel = await openTunnel(conf, { policy, [Symbol.for('tunless.test.ignoreOutbound')]: true })
for (const target of targets) {
  const [host, port] = target.split(':')
  const socket = tunnel.connect({ host, port: Number(port), timeout: 20_000 })
  try {
    await once(socket, 'connect')
    console.log(`${target} open`)
  } catch (error) {
    console.log(`${target} ${error.code}`)
  }
  socket.destroy()
}
await tunnel.close()
