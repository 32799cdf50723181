// What a client that joined has with the tunnel's process: a connection that holds the tunnel, and over which either side says
// how the client's dials go. A unix socket alone cannot tell an end from a break: its reader sees an end either way.
import type { Duplex } from 'node:stream'
import { parseObject } from './protocol.js'

/** Bytes of one notice. */
const longestNotice = 256

/** What the other side says of a dial. */
export interface DialNotices {
  /** It broke the dial off, or died. */
  cut(): void
  /** Its end is a good one, to be passed on. */
  ended?(): void
}

export class Lease {
  readonly #stream: Duplex
  readonly #dials = new Map<number, DialNotices>()
  #left = false
  #over = false
  #rest = ''

  /** The stream is read from now on. */
  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
    stream.on('end', () => stream.destroy())
    stream.on('close', () => this.#end())
    if (stream.destroyed) this.#end()
  }

  add(dial: number, notices: DialNotices): void {
    this.#dials.set(dial, notices)
    if (this.#over) this.#settle()
  }

  /** The dial is over; the other side hears if it is `broken`. */
  remove(dial: number, broken: boolean): void {
    if (this.#dials.delete(dial) && broken) this.tell('cut', dial)
  }

  /** Lets the other side know that this side breaks the dial off, or has ended it. */
  tell(what: 'cut' | 'end', dial: number): void {
    if (!this.#over && !this.#stream.writableEnded) this.#stream.write(`{"${what}":${dial}}\n`)
  }

  /** Ends the lease and no dial: those that still run end by themselves. */
  leave(): void {
    this.#left = true
    if (!this.#over) this.#stream.end('{"leave":true}\n')
  }

  #read(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n')
    this.#rest = lines.pop() as string
    for (const line of lines) this.#take(parseObject(line) ?? {})
    if (this.#rest.length > longestNotice) this.#stream.destroy()
  }

  #take({ leave, end, cut }: Record<string, unknown>): void {
    if (leave === true) this.#left = true
    if (typeof end === 'number') this.#dials.get(end)?.ended?.()
    if (typeof cut !== 'number') return
    const notices = this.#dials.get(cut)
    this.#dials.delete(cut)
    notices?.cut()
  }

  #end(): void {
    this.#over = true
    this.#settle()
  }

  /** No notice comes any more: dials go on to their own end if the other side left, and are broken if it died. */
  #settle(): void {
    const dials = [...this.#dials.values()]
    this.#dials.clear()
    for (const notices of dials) {
      if (this.#left) notices.ended?.()
      else notices.cut()
    }
  }
}
