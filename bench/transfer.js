// A transfer between two tunnels of this process, real UDP on loopback: what both ends cost, in one profile.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { wrongResult } from '../dist/app/bench/tasks.js'
import { openTunnel } from '../dist/index.js'
import { clientConf, createKeys, serverConf } from './shared/ends.js'

const megabytes = { quick: 16, short: 64, full: 256 }
const rounds = { quick: 1, short: 3, full: 3 }

export const transferSuite = {
  name: 'transfer',
  async run(recorder) {
    const [rates, cpus] = [[], []]
    for (let round = 0; round < rounds[recorder.effort]; round++) {
      recorder.say('transfer')
      const { rate, cpu } = await transfer(megabytes[recorder.effort])
      rates.push(rate)
      cpus.push(cpu)
      recorder.checked(1)
    }
    recorder.add('transfer/one-process/tunless', rates, 'Mbit/s', 'higher')
    recorder.add('transfer/one-process-cpu/tunless', cpus, 's/GB', 'lower')
  },
}

/** Mbit/s, and CPU seconds for 10^9 bytes; rejects if what arrives differs. */
async function transfer(count) {
  const [a, b] = [createKeys(), createKeys()]
  const server = await openTunnel({ text: serverConf(a, b) })
  const client = await openTunnel({ text: clientConf(a, b, server.port) })
  try {
    const received = new Promise((resolve, reject) => {
      server
        .createServer(socket => {
          const hash = createHash('sha256')
          socket.on('data', chunk => hash.update(chunk))
          socket.on('end', () => resolve(hash.digest('hex')))
          socket.on('error', reject)
        })
        .listen(9)
    })
    await client.ready()
    const chunk = randomBytes(1_000_000)
    const sent = createHash('sha256')
    for (let i = 0; i < count; i++) sent.update(chunk)
    const start = performance.now()
    const before = process.cpuUsage()
    const source = Readable.from(Array.from({ length: count }, () => chunk))
    const socket = client.connect({ host: '10.9.0.1', port: 9 })
    socket.resume()
    await Promise.all([pipeline(source, socket), once(socket, 'close')])
    const digest = await received
    const { user, system } = process.cpuUsage(before)
    if (digest !== sent.digest('hex')) throw wrongResult('transfer', new Error('what arrived is not what was sent'))
    return {
      rate: (count * 8) / ((performance.now() - start) / 1000),
      cpu: (user + system) / 1e6 / (count / 1000),
    }
  } finally {
    await client.close()
    await server.close()
  }
}
