// Other WireGuard clients without a TUN device, where they are on PATH: the same load through the same far side.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../../dist/app/bench/child.js'
import { startFar } from '../../dist/app/bench/contenders.js'
import { dial, dialSocks } from '../../dist/app/bench/load.js'
import { addresses, servicePorts } from '../../dist/app/bench/services.js'

const startTimeout = 10_000

function isOnPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Linux's clock ticks, which are 100 a second on every machine that Node runs on. */
const ticksPerSecond = 100

/** What a process used that cannot be asked; NaN where there is no /proc. */
function usageOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    const [, rss] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    const cpu = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    return { at: monotonic(), cpu, rss: Number(rss) * 1024, bytes: 0 }
  } catch {
    return { at: monotonic(), cpu: Number.NaN, rss: Number.NaN, bytes: 0 }
  }
}

/** TCP ports that are free now; neither client takes one by itself and tells it. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => server.address().port)
  for (const server of servers) server.close()
  return ports
}

/** `prepare(far, port, ends)` gives the arguments, how to connect to a service, and what to clean up. */
function client(name, prepare) {
  return {
    name,
    missing: () => (isOnPath(name) ? undefined : `${name} is not on PATH`),
    async start() {
      const { far, port, ends } = await startFar()
      const { args, connect, done } = await prepare(port, ends)
      const near = spawn(name, args, { stdio: 'ignore' })
      const exited = once(near, 'exit').catch(error => error)
      const stop = async () => {
        near.kill('SIGTERM')
        const killed = setTimeout(() => near.kill('SIGKILL'), 2000)
        await exited
        clearTimeout(killed)
        await far.stop()
        done()
      }
      try {
        await answers(connect, near)
      } catch (error) {
        await stop()
        throw error
      }
      return {
        name,
        connect,
        usage: async () => usageOf(near.pid),
        farUsage: () => far.usage(),
        farHash: count => far.ask('hash', count),
        stop,
      }
    },
  }
}

/** Until a connection stands. */
async function answers(connect, near) {
  for (const until = performance.now() + startTimeout; ; ) {
    try {
      const socket = await connect('hold')
      socket.destroy()
      return
    } catch (cause) {
      if (near.exitCode !== null) throw new Error(`it ended with ${near.exitCode}`, { cause })
      if (performance.now() > until) throw new Error('it did not come up', { cause })
    }
    await sleep(50)
  }
}

const wireproxy = client('wireproxy', async (port, ends) => {
  const [socks] = await freePorts(1)
  const folder = mkdtempSync(join(tmpdir(), 'tunless-bench-'))
  const conf = join(folder, 'wireproxy.conf')
  writeFileSync(conf, `${ends.near(port)}[Socks5]\nBindAddress = 127.0.0.1:${socks}\n`, { mode: 0o600 })
  return {
    args: ['-s', '-c', conf],
    connect: service => dialSocks(socks, service),
    done: () => rmSync(folder, { recursive: true, force: true }),
  }
})

const onetun = client('onetun', async (port, { keys }) => {
  const services = Object.keys(servicePorts)
  const ports = await freePorts(services.length)
  const forwards = services.map((name, i) => `127.0.0.1:${ports[i]}:${addresses.far}:${servicePorts[name]}`)
  const [near, far] = [addresses.near, `127.0.0.1:${port}`]
  const own = ['--private-key', keys.near, '--source-peer-ip', near, '--max-transmission-unit', '1420']
  const peer = ['--endpoint-public-key', keys.farPublic, '--endpoint-addr', far]
  return {
    args: [...forwards, ...own, ...peer, '--log', 'error'],
    connect: service => dial(ports[services.indexOf(service)]),
    done() {},
  }
})

export const otherClients = [wireproxy, onetun]
