// The far side of the macro benchmark, a process of its own: a tunnel that is called, and the services behind it.
import { createServer } from 'node:http'
import { openTunnel } from '../../node/open.js'
import type { TunnelSocket } from '../../node/socket.js'
import { serve } from './child.js'
import { page, pour, type Service, Sink, servicePorts } from './services.js'

export interface FarOrder {
  readonly conf: string
}

const sink = new Sink()

serve(
  async ({ conf }: FarOrder) => {
    const tunnel = await openTunnel({ text: conf }, { listenHost: '127.0.0.1' })
    const web = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': page.length, connection: 'close' }).end(page)
    })
    const services: Record<Service, (socket: TunnelSocket) => void> = {
      sink: socket => socket.on('data', bytes => sink.add(bytes)),
      source: socket => pour(socket.resume()),
      web: socket => web.emit('connection', socket),
      hold: socket => void socket.on('data', bytes => socket.write(bytes)),
    }
    for (const [name, service] of Object.entries(services)) {
      const server = tunnel.createServer({ allowHalfOpen: name === 'web' }, socket => {
        socket.on('error', () => {})
        service(socket)
      })
      server.listen(servicePorts[name as Service])
    }
    return { port: tunnel.port }
  },
  { hash: count => sink.hashNext(count) },
  () => sink.bytes,
)
