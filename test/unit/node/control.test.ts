import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { directoryCandidates, keyName, type Surroundings } from '../../../src/node/control/directory.js'
import { type Claim, type ControlHandlers, claimKey, joinTunnel } from '../../../src/node/control.js'
import { handlers, publicKey, readAll, surroundings } from './control-support.js'

async function claim(around: Surroundings, given: ControlHandlers = handlers()): Promise<Claim> {
  const made = await claimKey(publicKey, given, { surroundings: around })
  onTestFinished(() => made.release())
  return made
}

function directory(around: Surroundings): string {
  return directoryCandidates(around)[0] as string
}

/** A far side that neither ends nor answers by itself. */
function openFar(): Duplex {
  const far = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  return far.on('error', () => {})
}

/** A process that ended without cleaning up: its socket is there, and nobody listens on it. */
async function leaveDeadClaim(around: Surroundings, pid = 4_000_000): Promise<string> {
  const name = keyName(publicKey)
  const socket = `${name}.${pid}-0123abcd`
  mkdirSync(directory(around), { mode: 0o700, recursive: true })
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', script, join(directory(around), socket)]), 'exit')
  symlinkSync(socket, join(directory(around), name))
  return socket
}

describe('a claimed key', () => {
  it('answers questions, as long as who asked stays', async () => {
    const around = surroundings()
    let gone: AbortSignal | undefined
    await claim(around, {
      ...handlers(),
      answer: async (question, signal) => {
        gone = signal
        if (question.op === 'lookup') return { addresses: ['10.7.0.1', 'fd07::1'] }
        if (question.op === 'ready') return { peer: { name: 'web1', publicKey: 'a key', rtt: question.timeout } }
        if (question.host === 'silent') return new Promise(() => {})
        if (question.host === 'away') throw Object.assign(new Error('ping EHOSTUNREACH'), { code: 'EHOSTUNREACH' })
        return { rtt: question.size, ttl: question.whole ? 1 : 64, address: question.host }
      },
    })
    const joined = (await joinTunnel(publicKey, around))!
    expect(await joined.lookup('web1')).toEqual(['10.7.0.1', 'fd07::1'])
    expect(await joined.ready({ timeout: 7 })).toEqual({ peer: { name: 'web1', publicKey: 'a key', rtt: 7 } })
    expect(await joined.ping('10.7.0.1', { size: 56, timeout: 1000 })).toEqual({
      rtt: 56,
      ttl: 64,
      address: '10.7.0.1',
    })
    expect(await joined.ping('10.7.0.1', { size: 9, whole: true })).toMatchObject({ rtt: 9, ttl: 1 })
    await expect(joined.ping('away')).rejects.toMatchObject({ code: 'EHOSTUNREACH' })
    for (const size of [-1, 1.5, 65_508]) {
      await expect(joined.ping('10.7.0.1', { size })).rejects.toMatchObject({ code: 'USAGE' })
    }
    const signal = AbortSignal.timeout(50)
    await expect(joined.ping('silent', { signal })).rejects.toMatchObject({ name: 'TimeoutError' })
    await expect.poll(() => gone?.aborted).toBe(true)
    joined.leave()
  })

  it('refuses questions where its owner takes dials alone', async () => {
    const around = surroundings()
    await claim(around)
    const joined = (await joinTunnel(publicKey, around))!
    await expect(joined.lookup('web1')).rejects.toMatchObject({ code: 'USAGE' })
    joined.leave()
  })

  it('can be joined: dials, their errors and status go through', async () => {
    const around = surroundings()
    await claim(around, {
      ...handlers(async host => {
        if (host === 'db') throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
        return handlers().dial(host, 1, { signal: new AbortController().signal })
      }),
    })
    const joined = await joinTunnel(publicKey, around)
    expect(joined?.pid).toBe(process.pid)
    const stream = await joined!.dial('web1', 80)
    stream.end('hi')
    expect(await readAll(stream)).toBe('echo:hi')
    await expect(joined!.dial('db', 5432)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      message: 'connect ECONNREFUSED',
    })
    expect(await joined!.status()).toEqual({ pid: process.pid, publicKey: 'a key', peers: 2 })
    joined!.leave()
  })

  it('cannot be claimed twice; the error names the holder', async () => {
    const around = surroundings()
    await claim(around)
    await expect(claim(around)).rejects.toMatchObject({
      code: 'TUNNEL_KEY_IN_USE',
      message: expect.stringContaining('this process already runs a tunnel'),
    })
    expect(readdirSync(directory(around))).toHaveLength(2)
  })

  it('is free again after release, and nothing is left', async () => {
    const around = surroundings()
    const first = await claim(around)
    await first.release()
    await first.release()
    expect(existsSync(directory(around))).toBe(false)
    expect(await joinTunnel(publicKey, around)).toBeUndefined()
    await claim(around)
  })

  it('leaves another key alone', async () => {
    const around = surroundings()
    const first = await claim(around)
    const other = await claimKey(new Uint8Array(32).fill(8), handlers(), { surroundings: around })
    await first.release()
    expect(readdirSync(directory(around))).toHaveLength(2)
    await other.release()
  })

  it('is found in either directory', async () => {
    const around = surroundings()
    await claim(around)
    const withRuntime = { ...around, env: { ...around.env, XDG_RUNTIME_DIR: surroundings().env.TMPDIR } }
    expect(await joinTunnel(publicKey, withRuntime)).toBeDefined()
    await expect(claim(withRuntime)).rejects.toMatchObject({ code: 'TUNNEL_KEY_IN_USE' })
  })

  it('counts those who joined, and breaks them off on release', async () => {
    const around = surroundings()
    const holder = await claim(around)
    const joined = await joinTunnel(publicKey, around)
    expect(holder.joined).toBe(1)
    await holder.release()
    await joined!.closed
    await expect(joined!.dial('web1', 80)).rejects.toMatchObject({ code: 'TUNNEL_CLOSED' })
  })

  it('becomes idle when the one that joined leaves', async () => {
    const around = surroundings()
    const holder = await claim(around)
    const joined = await joinTunnel(publicKey, around)
    const stream = await joined!.dial('web1', 80)
    expect(holder.joined).toBe(2)
    joined!.leave()
    stream.destroy()
    await holder.idle()
    expect(holder.joined).toBe(0)
  })

  it('tells a far side that broke off from one that ended', async () => {
    const around = surroundings()
    const far = openFar()
    await claim(
      around,
      handlers(async () => far),
    )
    const joined = await joinTunnel(publicKey, around)
    const stream = await joined!.dial('web1', 80)
    stream.on('error', () => {})
    far.push('half of it')
    await once(stream, 'readable')
    far.destroy(new Error('reset'))
    expect(await once(stream, 'error')).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
    joined!.leave()
  })

  it('tells the far side of a client that broke off', async () => {
    const around = surroundings()
    const far = openFar()
    const holder = await claim(
      around,
      handlers(async () => far),
    )
    const joined = await joinTunnel(publicKey, around)
    const stream = await joined!.dial('web1', 80)
    stream.destroy()
    await once(far, 'close')
    expect(far.writableFinished).toBe(false)
    joined!.leave()
    await holder.idle()
  })

  it('breaks off the connections of a client that died', async () => {
    const around = surroundings()
    const far = openFar()
    const holder = await claim(
      around,
      handlers(async () => far),
    )
    const path = join(directory(around), keyName(publicKey))
    const lease = connect(path)
    lease.write('{"op":"join"}\n')
    const { lease: name } = JSON.parse(`${(await once(lease, 'data'))[0]}`)
    const stream = connect(path)
    stream.write(`${JSON.stringify({ op: 'dial', host: 'a', port: 1, lease: name, dial: 0 })}\n`)
    await once(stream, 'data')
    lease.destroy()
    await once(far, 'close')
    expect(far.writableFinished).toBe(false)
    await holder.idle()
  })

  it('lets connections go on to their own end after leaving', async () => {
    const around = surroundings()
    const holder = await claim(around)
    const joined = await joinTunnel(publicKey, around)
    const stream = await joined!.dial('web1', 80)
    stream.write('question')
    joined!.leave()
    await joined!.closed
    stream.end()
    expect(await readAll(stream)).toBe('echo:question')
    await holder.idle()
  })

  it("lets the dial's signal end it", async () => {
    const around = surroundings()
    await claim(
      around,
      handlers(() => new Promise(() => {})),
    )
    const joined = await joinTunnel(publicKey, around)
    const ending = new AbortController()
    const dial = joined!.dial('web1', 80, { signal: ending.signal })
    ending.abort(new Error('enough'))
    await expect(dial).rejects.toThrow('enough')
    joined!.leave()
  })
})

describe("a dead process's claim", () => {
  it('is nobody to join', async () => {
    const around = surroundings()
    await leaveDeadClaim(around)
    expect(await joinTunnel(publicKey, around)).toBeUndefined()
  })

  it('gives way, and its socket is removed', async () => {
    const around = surroundings()
    const dead = await leaveDeadClaim(around)
    const holder = await claim(around)
    expect(readdirSync(directory(around))).not.toContain(dead)
    expect(readdirSync(directory(around))).toHaveLength(2)
    await holder.release()
    expect(existsSync(directory(around))).toBe(false)
  })

  it('gives way to exactly one of many', async () => {
    const around = surroundings()
    await leaveDeadClaim(around)
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => claim(around)))
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(1)
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'TUNNEL_KEY_IN_USE' })
    expect(readdirSync(directory(around))).toHaveLength(2)
  })

  it('gives way even if one that was clearing it away died over that', async () => {
    const around = surroundings()
    const dead = await leaveDeadClaim(around)
    symlinkSync('4000001', join(directory(around), `${dead}.clear-0`))
    await claim(around)
    expect(readdirSync(directory(around))).toHaveLength(2)
  })

  it('is cleared away by whoever claims another key', async () => {
    const around = surroundings()
    await leaveDeadClaim(around)
    const other = await claimKey(new Uint8Array(32).fill(8), handlers(), { surroundings: around })
    expect(readdirSync(directory(around))).toHaveLength(2)
    await other.release()
    expect(existsSync(directory(around))).toBe(false)
  })

  it('gives way where its socket is gone too', async () => {
    const around = surroundings()
    mkdirSync(directory(around), { mode: 0o700 })
    symlinkSync(`${keyName(publicKey)}.17-0123abcd`, join(directory(around), keyName(publicKey)))
    await claim(around)
  })
})

describe('a claim', () => {
  it('refuses an entry that it did not make', async () => {
    const around = surroundings()
    mkdirSync(directory(around), { mode: 0o700 })
    writeFileSync(join(directory(around), keyName(publicKey)), '')
    await expect(claim(around)).rejects.toMatchObject({ code: 'CONTROL_DIRECTORY_UNSAFE' })
  })

  it('refuses a directory that is open to others', async () => {
    const around = surroundings()
    mkdirSync(directory(around))
    chmodSync(directory(around), 0o777)
    await expect(claim(around)).rejects.toMatchObject({ code: 'CONTROL_DIRECTORY_UNSAFE' })
    await expect(joinTunnel(publicKey, around)).rejects.toMatchObject({ code: 'CONTROL_DIRECTORY_UNSAFE' })
  })

  it.each([
    ['no directory can be made', { uid: process.getuid?.(), env: { TMPDIR: '/proc/nonexistent' } }],
    ['the platform has no user numbers', { uid: undefined, env: {} }],
  ])('comes with a warning where %s', async (_why, around) => {
    const holder = await claim(around)
    expect(holder.warning).toMatch(/^no control socket: .*; others cannot join this tunnel/)
    expect(holder.joined).toBe(0)
    await holder.idle()
  })

  it('names the pid of another process that holds the key, even one that hangs', async () => {
    const around = surroundings()
    const name = keyName(publicKey)
    mkdirSync(directory(around), { mode: 0o700 })
    const hung = createServer()
    onTestFinished(() => void hung.close())
    hung.listen(join(directory(around), `${name}.4242-0123abcd`))
    await once(hung, 'listening')
    symlinkSync(`${name}.4242-0123abcd`, join(directory(around), name))
    await expect(claim(around)).rejects.toMatchObject({
      code: 'TUNNEL_KEY_IN_USE',
      message: expect.stringContaining('process 4242 already runs'),
    })
  })
})
