import { Duplex, PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { carry } from '../../../src/app/carry.js'

/** A connection whose far side the test plays, and a stdin and stdout in memory. */
function setUp({ isTerminal = false } = {}) {
  const sent: string[] = []
  let sentEnd = false
  const connection = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      sent.push(`${chunk}`)
      done()
    },
    final(done) {
      sentEnd = true
      done()
    },
  })
  const input = new PassThrough()
  const output = new PassThrough()
  const io = {
    input,
    output,
    isTerminal,
    endOutput: () =>
      new Promise<void>(resolve => {
        if (output.writableFinished) resolve()
        else output.end(resolve)
      }),
  }
  const stopping = new AbortController()
  return {
    connection,
    input,
    output,
    sent,
    stopping,
    ended: () => sentEnd,
    done: carry(connection, io, stopping.signal),
  }
}

describe('a carried connection', () => {
  it('goes on receiving after the end of stdin', async () => {
    const { connection, input, output, sent, ended, done } = setUp()
    input.end('question')
    await expect.poll(ended).toBe(true)
    connection.push('answer')
    connection.push(null)
    expect(await done).toBe('done')
    expect(sent.join('')).toBe('question')
    expect(`${output.read()}`).toBe('answer')
  })

  it('goes on sending after the end of what it receives, which ends stdout at once', async () => {
    const { connection, input, output, sent, done } = setUp()
    connection.push('greeting')
    connection.push(null)
    await expect.poll(() => output.writableFinished).toBe(true)
    input.end('late')
    expect(await done).toBe('done')
    expect(sent.join('')).toBe('late')
  })

  it('does not wait for a person to end stdin', async () => {
    const { connection, ended, done } = setUp({ isTerminal: true })
    connection.push(null)
    expect(await done).toBe('done')
    expect(ended()).toBe(true)
  })

  it('is over when the connection breaks, with its error, and keeps what came before', async () => {
    const { connection, output, done } = setUp()
    connection.push('half')
    await expect.poll(() => output.readableLength).toBe(4)
    connection.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    await expect(done).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(`${output.read()}`).toBe('half')
  })

  it('is no success when it is closed half-way', async () => {
    const { connection, done } = setUp()
    connection.destroy()
    await expect(done).rejects.toThrow('closed half-way')
  })

  it('is dropped when the reader of stdout goes away', async () => {
    const { connection, output, done } = setUp()
    output.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    expect(await done).toBe('dropped')
    expect(connection.destroyed).toBe(true)
  })

  it('takes an unreadable stdin for its end', async () => {
    const { connection, input, ended, done } = setUp()
    input.destroy(new Error('EIO'))
    await expect.poll(ended).toBe(true)
    connection.push(null)
    expect(await done).toBe('done')
  })

  it('ends at once when it is told to', async () => {
    const { connection, stopping, done } = setUp()
    stopping.abort()
    expect(await done).toBe('aborted')
    expect(connection.destroyed).toBe(true)
  })
})
