// The near end of the floor, a process of its own, with local ports in place of a proxy: what comes by one leaves as datagrams,
// and what comes as datagrams leaves by the other. It also pumps bare datagrams.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { serve } from './child.js'
import { Slab, Way } from './floor-way.js'
import { chunk } from './services.js'

export interface NearStarted {
  readonly udp: number
  readonly sink: number
  readonly source: number
}

const slab = new Slab()
/** What is to be sent, and where in its first part. */
let queue: Buffer[] = []
let position = 0
let up: Socket | undefined
let down: Socket | undefined
let pumping: 'up' | 'down' | undefined
let pumped = 0
let way: Way

serve(
  async ({ key }: { key: string }): Promise<NearStarted> => {
    way = await Way.open(Buffer.from(key, 'base64'), { received, turn, room: send })
    return { udp: way.port, sink: await listen(serveSink), source: await listen(serveSource) }
  },
  {
    connect: port => way.connect(port),
    pumpUp() {
      pumping = 'up'
      way.mode = 'bare'
      send()
    },
    pumpDown() {
      pumping = 'down'
      way.start('bare')
    },
    pumpStop() {
      pumping = undefined
      way.stop()
    },
  },
  () => pumped,
)

async function listen(accept: (socket: Socket) => void): Promise<number> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    accept(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function serveSink(socket: Socket): void {
  up = socket
  queue = []
  position = 0
  way.mode = 'seal'
  socket.on('data', bytes => {
    queue.push(bytes)
    send()
  })
}

function send(): void {
  if (pumping === 'up') while (way.room > 0) way.send(chunk, 0)
  for (let bytes = queue[0]; bytes !== undefined && way.room > 0; bytes = queue[0]) {
    position += way.send(bytes, position)
    if (position < bytes.length) continue
    queue.shift()
    position = 0
  }
  if (queue.length > 0) up?.pause()
  else if (up?.isPaused()) up.resume()
}

function serveSource(socket: Socket): void {
  down = socket
  socket.on('drain', () => way.giveCredit())
  socket.on('close', () => {
    if (down !== socket) return
    down = undefined
    way.stop()
  })
  socket.resume()
  way.start('seal')
}

function received(...[memory, offset, length]: Parameters<Slab['add']>): void {
  if (pumping !== undefined) pumped += length
  else if (down !== undefined && slab.add(memory, offset, length)) down.write(slab.take())
}

function turn(): boolean {
  if (pumping !== undefined) return true
  const bytes = slab.take()
  if (down === undefined) {
    way.stop() // the last one may be lost
    return false
  }
  if (bytes.length > 0) down.write(bytes)
  return !down.writableNeedDrain
}
