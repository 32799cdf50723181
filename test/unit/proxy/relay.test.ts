// The relay over streams whose every step a test decides; socks5-server.test.ts has it over real sockets.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import { relay } from '../../../src/proxy/relay.js'

/** One side: what it says comes from say(), what it is told is in `told`. */
class Side extends Duplex {
  told = ''
  reset = false
  /** Writes wait here while it is set to an array. */
  waiting: (() => void)[] | undefined
  /** The end waits here while it is set to an array. */
  ending: (() => void)[] | undefined

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 4 })
  }

  say(text: string | null): void {
    this.push(text)
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.told += chunk
    if (this.waiting === undefined) callback()
    else this.waiting.push(callback)
  }

  override _final(callback: () => void): void {
    this.told += '.'
    if (this.ending === undefined) callback()
    else this.ending.push(callback)
  }

  resetAndDestroy(): void {
    this.reset = true
    this.destroy()
  }
}

let near: Side
let far: Side
let results: (Error | undefined)[]
const traffic = { sent: 0, received: 0 }

beforeEach(() => {
  near = new Side()
  far = new Side()
  results = []
  Object.assign(traffic, { sent: 0, received: 0 })
})

function start(): void {
  relay(near, far, traffic, error => results.push(error))
}

const settle = () => new Promise(resolve => setImmediate(resolve))

describe('a relay', () => {
  it('carries bytes both ways and counts them', async () => {
    start()
    near.say('request')
    far.say('answer!!')
    await settle()
    expect([far.told, near.told]).toEqual(['request', 'answer!!'])
    expect(traffic).toEqual({ sent: 7, received: 8 })
    expect(results).toEqual([])
  })

  it('carries an end alone, and is done when both have ended', async () => {
    start()
    near.say('last')
    near.say(null)
    await settle()
    expect(far.told).toBe('last.')
    far.say('more')
    await settle()
    expect([near.told, results]).toEqual(['more', []])
    far.say(null)
    await settle()
    expect(near.told).toBe('more.')
    expect(results).toEqual([undefined])
    expect([near.reset, far.reset]).toEqual([false, false])
  })

  it('ends a side only when what it was told has left', async () => {
    start()
    far.waiting = []
    near.say('slow')
    near.say(null)
    await settle()
    expect([far.told, far.writableEnded]).toEqual(['slow', false])
    far.waiting.shift()?.()
    await settle()
    far.waiting.shift()?.()
    await settle()
    expect(far.told).toBe('slow.')
  })

  it('stops reading while the other side is full', async () => {
    start()
    far.waiting = []
    near.say('1234')
    near.say('5678')
    await settle()
    expect([far.told, near.isPaused(), near.readableLength]).toEqual(['1234', true, 4])
    far.waiting.shift()?.()
    await settle()
    expect(far.told).toBe('12345678')
  })

  it.each([
    ['near', 'far'],
    ['far', 'near'],
  ])('resets the other side when the %s one fails', async (who, other) => {
    start()
    const [failing, spared] = who === 'near' ? [near, far] : [far, near]
    const error = new Error(`${who} failed`)
    failing.destroy(error)
    await settle()
    expect([spared.reset, other]).toEqual([true, other])
    expect(results).toEqual([error])
  })

  it('resets the other side when one closes before its end', async () => {
    start()
    near.say('half a')
    near.destroy()
    await settle()
    expect(far.reset).toBe(true)
    expect(results).toMatchObject([{ message: 'the connection was cut' }])
  })

  it('resets a side whose FIN is on its way only when that has left', async () => {
    start()
    far.ending = []
    near.say(null)
    await settle()
    near.destroy(new Error('cut'))
    await settle()
    expect([far.told, far.reset, far.destroyed]).toEqual(['.', false, false])
    far.ending.shift()?.()
    await settle()
    expect([far.reset, far.destroyed]).toEqual([true, true])
  })

  it('leaves no system socket behind when a reset follows an end', async () => {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    const [accepted] = (await once(server, 'connection')) as [Socket]
    relay(near, accepted, traffic, error => results.push(error))
    accepted.once('finish', () => results.push(undefined))
    near.say(null)
    near.once('end', () => near.destroy(new Error('cut')))
    await Promise.all([once(client, 'close'), once(accepted, 'close')])
    expect(results).toMatchObject([undefined, { message: 'cut' }])
    server.close()
    await once(server, 'close')
  })

  it('sees what happened before it began', async () => {
    far.say(null)
    far.read(0)
    await settle()
    expect(far.readableEnded).toBe(true)
    start()
    await settle()
    expect(near.told).toBe('.')

    const gone = new Side()
    gone.on('error', () => {})
    gone.destroy(new Error('too late'))
    await settle()
    near = new Side()
    relay(near, gone, traffic, error => results.push(error))
    await settle()
    expect(near.reset).toBe(true)
    expect(results.at(-1)?.message).toBe('too late')
  })
})
