// A client of a proxy that has not said yet what it wants: its bytes go to one reader after the other, who have a time each, until one
// takes it over or it is cut. Listeners and timer are shared by the readers, as every connection pays for them.
import type { Socket } from 'node:net'
import type { ProxyContext } from './service.js'

const greetingOf = Symbol('greeting')

interface GreetingSocket extends Socket {
  [greetingOf]?: Greeting | undefined
}

/** Called with what the client sends. */
type Reader = (chunk: Uint8Array, greeting: Greeting) => void

export class Greeting {
  readonly client: Socket
  readonly #counters: ProxyContext['counters']
  readonly #timer: NodeJS.Timeout
  #read: Reader

  /** Begins: `read` has what comes first. */
  constructor(client: Socket, { limits, counters }: ProxyContext, read: Reader) {
    this.#read = read
    this.client = client
    this.#counters = counters
    this.#timer = setTimeout(timedOut, limits.greetingTimeout, this).unref()
    ;(client as GreetingSocket)[greetingOf] = this
    client.on('data', readChunk)
    client.on('end', left)
    client.on('close', left)
  }

  /** `read` has what comes next, and the time begins anew. */
  pass(read: Reader): void {
    this.#read = read
    this.#timer.refresh()
  }

  /** @internal */
  read(chunk: Uint8Array): void {
    this.#read(chunk, this)
  }

  /** The client is another's now. */
  settle(): void {
    clearTimeout(this.#timer)
    const { client } = this
    client.off('data', readChunk)
    client.off('end', left)
    client.off('close', left)
    ;(client as GreetingSocket)[greetingOf] = undefined
  }

  cut(why: 'malformed' | 'timedOut' | 'gone'): void {
    this.settle()
    this.client.destroy()
    this.#counters[why]++
  }
}

function readChunk(this: GreetingSocket, chunk: Uint8Array): void {
  this[greetingOf]?.read(chunk)
}

function left(this: GreetingSocket): void {
  this[greetingOf]?.cut('gone')
}

function timedOut(greeting: Greeting): void {
  greeting.cut('timedOut')
}
