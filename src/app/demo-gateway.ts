// The demo's second process: a WireGuard responder with a web server behind it that listens inside the tunnel alone, on the TCP
// port whose number the UDP port has outside.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { createInterface } from 'node:readline'
import { openTunnel } from '../node/open.js'
import type { GatewayOrder } from './demo.js'

const chunk = Buffer.alloc(64 * 1024, Array.from({ length: 251 }, (_, i) => i).join(' '))
const longestDownload = 1024 * 1024 * 1024

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin })
  const ended = once(lines, 'close')
  const [line] = await once(lines, 'line')
  const order: GatewayOrder = JSON.parse(line)
  const tunnel = await openTunnel({ text: order.conf, name: 'the demo gateway' }, { listenHost: '127.0.0.1' })
  const web = http.createServer((request, response) => answer(request, response, order.greeting))
  tunnel.createServer({ allowHalfOpen: true }, socket => web.emit('connection', socket)).listen(tunnel.port)
  process.stdout.write(`${JSON.stringify({ port: tunnel.port })}\n`)
  await ended
  web.closeAllConnections()
  await tunnel.close()
}

function answer(request: http.IncomingMessage, response: http.ServerResponse, greeting: string): void {
  const size = Number(/^\/bytes\/(\d+)$/.exec(request.url ?? '')?.[1] ?? Number.NaN)
  if (Number.isNaN(size) || size > longestDownload) response.end(greeting)
  else sendBytes(response, size)
}

function sendBytes(response: http.ServerResponse, size: number): void {
  const hash = createHash('sha256')
  const parts: Buffer[] = []
  for (let left = size; left > 0; left -= chunk.length) parts.push(chunk.subarray(0, Math.min(left, chunk.length)))
  for (const part of parts) hash.update(part)
  response.writeHead(200, { 'content-length': size, 'x-sha256': hash.digest('hex') })
  const send = () => {
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (response.write(part)) continue
      response.once('drain', send)
      return
    }
    response.end()
  }
  parts.reverse()
  send()
}

void main()
