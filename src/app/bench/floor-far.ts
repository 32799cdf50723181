// The far end of the floor, a process of its own: counts what comes, and sends where it is asked to.
import { serve } from './child.js'
import { Slab, Way } from './floor-way.js'
import { chunk, Sink } from './services.js'

export interface FloorOrder {
  /** Base64. */
  readonly key: string
  /** The near end's UDP port. */
  readonly port: number
}

const sink = new Sink()
const slab = new Slab()
let sending = false
let position = 0
let way: Way

serve(
  async ({ key, port }: FloorOrder) => {
    way = await Way.open(Buffer.from(key, 'base64'), {
      received(memory, offset, length) {
        if (slab.add(memory, offset, length)) sink.add(slab.take())
      },
      turn() {
        sink.add(slab.take())
        return true
      },
      room: sendMore,
      started() {
        sending = true
        position = 0
        sendMore()
      },
      stopped() {
        sending = false
      },
    })
    way.connect(port)
    return { port: way.port }
  },
  { hash: count => sink.hashNext(count) },
  () => sink.bytes,
)

function sendMore(): void {
  while (sending && way.room > 0) position = (position + way.send(chunk, position)) % chunk.length
}
