// What an idle established connection costs over the public API, beside a bare Duplex with the same listeners: idle.js
// [--connections N]. Two tunnels of this process, so each connection counts twice, once an end. Ends with 1 above the limit.
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openTunnel } from '../dist/index.js'
import { clientConf, createKeys, serverConf } from './shared/ends.js'
import { tell } from './shared/results.js'

const { values } = parseArgs({ options: { connections: { type: 'string', default: '5000' } } })
const connections = Number(values.connections)
/** Bytes that an end may cost more than the Duplex. */
const limit = 4096
/** Dials under way at a time. */
const atOnce = 100

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const ignore = () => {}

const listened = stream => {
  for (const event of ['data', 'end', 'drain', 'error', 'close']) stream.on(event, ignore)
  return stream
}

class Bare extends Duplex {
  _read() {}
  _write(_chunk, _encoding, callback) {
    callback()
  }
}

/** heapUsed and external, once nothing more can be collected. */
async function used() {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    await pause(200)
    collect()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
  }
  return least
}

/** Bytes that each of `count` streams costs, all of which `make` returns. */
async function cost(count, make) {
  const before = await used()
  const streams = await make()
  const after = await used()
  if (streams.length !== count || streams.some(stream => stream.destroyed)) throw new Error('not all of them are open')
  return (after - before) / count
}

const [a, b] = [createKeys(), createKeys()]
const server = await openTunnel({ text: serverConf(a, b) })
const client = await openTunnel({ text: clientConf(a, b, server.port) })
const accepted = []
server.createServer(socket => accepted.push(listened(socket))).listen(9)

/** Connections over which a request and an answer went, so that what that takes is there or was given back. */
async function open(count) {
  const from = accepted.length
  const near = []
  while (near.length < count) {
    const some = Array.from({ length: Math.min(atOnce, count - near.length) }, () =>
      listened(client.connect({ host: '10.9.0.1', port: 9 })),
    )
    await Promise.all(some.map(socket => once(socket, 'connect')))
    near.push(...some)
    while (accepted.length - from < near.length) await pause(1)
    const answers = some.map(socket => once(socket, 'data'))
    for (const socket of some) socket.write('request')
    for (const socket of accepted.slice(from + near.length - some.length)) socket.write('answer')
    await Promise.all(answers)
  }
  return [...near, ...accepted.slice(from)]
}

await client.ready()
await open(200) // compiled, pools filled
const duplex = await cost(2 * connections, () =>
  Array.from({ length: 2 * connections }, () => listened(new Bare()).resume()),
)
const connection = await cost(2 * connections, () => open(connections))
const more = connection - duplex
const kib = bytes => `${(bytes / 1024).toFixed(2)} KiB`
console.log(
  `${connections} idle connections, both ends here: ${kib(connection)} an end, a bare Duplex ${kib(duplex)}: ${kib(more)} more, at most ${kib(limit)}`,
)
await client.close()
await server.close()
tell([{ id: 'end/tunless', rounds: [more / 1024], unit: 'KiB', better: 'lower' }])
process.exitCode = more > limit ? 1 : 0
