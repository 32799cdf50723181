// `tunless demo`: a web server that has no way in but WireGuard, in a process of its own, and what this process sees of it without
// and with a tunnel. Everything happens on this host, over real UDP on loopback.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Config, formatConfig } from '../core/config/config.js'
import { openTunnel } from '../node/open.js'
import type { Tunnel } from '../node/tunnel.js'
import { createPair } from './init.js'
import { newPrivateKey } from './keys.js'
import { createLog } from './log.js'
import { print } from './print.js'
import { createProgress } from './progress.js'

/** Bytes of the speed test, and when it is cut short, ms. */
const speedTestBytes = 32 * 1024 * 1024
const speedTestTimeout = 4000
/** What the direct attempt may take, ms. */
const directTimeout = 1000
const gatewayTimeout = 5000

/** What the gateway's process gets on stdin; its answer is a line of JSON with `port`. */
export interface GatewayOrder {
  readonly conf: string
  readonly greeting: string
}

/** Prints what happens; false if something did not go as it should. */
export async function demo(): Promise<boolean> {
  const began = performance.now()
  const greeting = `hello from behind the gateway, ${randomBytes(4).toString('hex')}`
  const say = (what: string, text: string) => print(`  ${what.padEnd(10)} ${text}\n`)
  print('tunless demo: a web server that can be reached through WireGuard alone\n')

  let gateway: ChildProcess | undefined
  let tunnel: Tunnel | undefined
  try {
    const { gateway: gatewayConf, runner: runnerConf } = createDemoPair()
    const started = await startGateway({ conf: formatConfig(gatewayConf), greeting })
    gateway = started.process
    say(
      'gateway',
      `process ${gateway.pid} listens on UDP port ${started.port} and on no other; the web server is inside`,
    )

    const { port } = started
    const direct = await get({ host: '127.0.0.1', port, timeout: directTimeout }).catch(
      (error: NodeJS.ErrnoException) => error,
    )
    if (!(direct instanceof Error) && direct.body === greeting)
      throw new Error('the web server answered without the tunnel')
    say(
      'direct',
      `http://127.0.0.1:${port}/ without the tunnel: ${direct instanceof Error ? `no way in (${direct.code ?? direct.message})` : 'someone else answers'}`,
    )

    const handshakeBegan = performance.now()
    tunnel = await openTunnel(withEndpoint(runnerConf, port))
    tunnel.on('warning', message => createLog('normal').warn(message))
    const { peer } = await tunnel.ready({ timeout: gatewayTimeout })
    const handshake = peer?.rtt ?? performance.now() - handshakeBegan
    say('handshake', `with ${peer?.name} at ${peer?.endpoint} in ${handshake.toFixed(1)} ms`)

    const through = (path: string) =>
      get({ host: 'gateway', port, path, connect: () => (tunnel as Tunnel).connect(port, 'gateway') })
    const page = await through('/')
    if (page.body !== greeting) throw new Error(`the web server answered "${page.body.slice(0, 80)}"`)
    say('tunnel', `http://gateway:${port}/ through the tunnel: ${page.status} "${page.body}"`)

    say('speed', await measure(tunnel, port))
    say(
      'done',
      `in ${((performance.now() - began) / 1000).toFixed(1)} s, without root, TUN device or firewall rule; nothing is left behind`,
    )
    return true
  } catch (error) {
    createLog('normal').error(`the demo failed: ${(error as Error).message}`)
    return false
  } finally {
    await tunnel?.close()
    await stopGateway(gateway)
  }
}

function createDemoPair(): { gateway: Config; runner: Config } {
  const { gateway, runner } = createPair({ host: '127.0.0.1', port: 1 }, newPrivateKey(), newPrivateKey())
  return { gateway: { ...gateway, interface: { ...gateway.interface, listenPort: 0 } }, runner }
}

function withEndpoint(conf: Config, port: number): Config {
  return { ...conf, peers: conf.peers.map(peer => ({ ...peer, endpoint: { host: '127.0.0.1', port } })) }
}

async function startGateway(order: GatewayOrder): Promise<{ process: ChildProcess; port: number }> {
  const script = fileURLToPath(new URL('./demo-gateway.js', import.meta.url))
  const gateway = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  gateway.stdin.on('error', () => {})
  // It ends when this pipe does, however this process ends.
  gateway.stdin.write(`${JSON.stringify(order)}\n`)
  const signal = AbortSignal.timeout(gatewayTimeout)
  try {
    const lines = createInterface({ input: gateway.stdout })
    const exited = once(gateway, 'exit', { signal }).then(() => {
      throw new Error('the gateway ended at once')
    })
    exited.catch(() => {})
    const [line] = await Promise.race([once(lines, 'line', { signal }), exited])
    return { process: gateway, port: JSON.parse(line).port }
  } catch (error) {
    await stopGateway(gateway)
    throw signal.aborted ? new Error('the gateway did not start in time', { cause: error }) : error
  }
}

async function stopGateway(gateway: ChildProcess | undefined): Promise<void> {
  if (gateway === undefined || gateway.exitCode !== null || gateway.signalCode !== null) return
  const exited = once(gateway, 'exit')
  gateway.stdin?.end()
  const timer = setTimeout(() => gateway.kill('SIGKILL'), gatewayTimeout)
  await exited
  clearTimeout(timer)
}

interface GetOptions {
  readonly host: string
  readonly port: number
  readonly path?: string
  readonly timeout?: number
  readonly connect?: () => Duplex
}

async function request({
  host,
  port,
  path = '/',
  timeout = gatewayTimeout,
  connect,
}: GetOptions): Promise<http.IncomingMessage> {
  const options: http.RequestOptions = {
    host,
    port,
    path,
    signal: AbortSignal.timeout(timeout),
    ...(connect ? { createConnection: connect } : { agent: false }), // an agent would dial by itself
  }
  const sent = http.get(options)
  try {
    const [response] = await once(sent, 'response')
    sent.on('error', () => {}) // From now on it is the response's.
    return response
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw new Error(`no answer in ${timeout / 1000} s`, { cause: error })
    throw error
  }
}

async function get(options: GetOptions): Promise<{ status: number; body: string }> {
  const response = await request(options)
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode ?? 0, body }
}

/** Downloads through the tunnel and checks what came against the checksum that the server sent before it. */
async function measure(tunnel: Tunnel, port: number): Promise<string> {
  const connect = () => tunnel.connect(port, 'gateway')
  const response = await request({
    host: 'gateway',
    port,
    path: `/bytes/${speedTestBytes}`,
    timeout: 2 * speedTestTimeout,
    connect,
  })
  const progress = createProgress(process.stdout, speedTestBytes)
  const hash = createHash('sha256')
  const began = performance.now()
  let received = 0
  for await (const chunk of response) {
    hash.update(chunk)
    received += chunk.length
    progress.show(received)
    if (performance.now() - began > speedTestTimeout) break
  }
  const seconds = (performance.now() - began) / 1000
  progress.clear()
  const megabytes = received / 1e6
  const rate = `${megabytes.toFixed(1)} MB in ${seconds.toFixed(2)} s, ${((megabytes * 8) / seconds).toFixed(0)} Mbit/s`
  if (received < speedTestBytes) return `${rate} (cut short)`
  if (hash.digest('hex') !== response.headers['x-sha256']) throw new Error('the download differs from what was sent')
  return `${rate}, sha256 equal`
}
