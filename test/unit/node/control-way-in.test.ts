import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { directoryCandidates, type Surroundings } from '../../../src/node/control/directory.js'
import {
  type ControlHandlers,
  type ControlWayIn,
  claimKey,
  joinAt,
  openControlWayIn,
  stopTunnel,
} from '../../../src/node/control.js'
import { handlers, publicKey, readAll, surroundings } from './control-support.js'

async function wayIn(around: Surroundings, given: ControlHandlers = handlers()): Promise<ControlWayIn> {
  const made = await openControlWayIn(given, { surroundings: around })
  if ('reason' in made) throw new Error(made.reason)
  onTestFinished(() => made.close())
  return made
}

describe('a way in for children', () => {
  it('is joined at its path: dials and status go through, and it claims no key', async () => {
    const around = surroundings()
    const { path } = await wayIn(around)
    const joined = await joinAt(path)
    const stream = await joined!.dial('web1', 80)
    stream.end('hi')
    expect(await readAll(stream)).toBe('echo:hi')
    expect(await joined!.status()).toEqual({ pid: process.pid, publicKey: 'a key', peers: 2 })
    joined!.leave()
    await (await claimKey(publicKey, handlers(), { surroundings: around })).release()
  })

  it('leaves nothing, and breaks off who joined, when it is closed', async () => {
    const around = surroundings()
    const { path, close } = await wayIn(around)
    const joined = await joinAt(path)
    await close()
    await joined!.closed
    expect(existsSync(dirname(path))).toBe(false)
    expect(await joinAt(path)).toBeUndefined()
  })

  it('clears away what a killed process left, and nothing of a live one', async () => {
    const around = surroundings()
    const first = await wayIn(around)
    const dead = join(dirname(first.path), 'run.4000000-0123abcd')
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    await once(spawn(process.execPath, ['-e', script, dead]), 'exit')
    expect(existsSync(dead)).toBe(true)
    const second = await wayIn(around)
    expect(readdirSync(dirname(first.path)).sort()).toEqual(
      [first.path, second.path].map(path => path.slice(dirname(path).length + 1)).sort(),
    )
  })

  it('says why there is none', async () => {
    expect(await openControlWayIn(handlers(), { surroundings: { uid: undefined, env: {} } })).toEqual({
      reason: 'this platform has no private directory for it',
    })
    const around = surroundings()
    const directory = directoryCandidates(around)[0] as string
    mkdirSync(directory, { mode: 0o700 })
    chmodSync(directory, 0o777)
    await expect(openControlWayIn(handlers(), { surroundings: around })).rejects.toMatchObject({
      code: 'CONTROL_DIRECTORY_UNSAFE',
    })
  })
})

describe('a tunnel that is asked to stop', () => {
  it('hears of it, and who asked waits for the process rather than for the socket', async () => {
    const around = surroundings()
    let stops = 0
    const stop = () => ++stops > 0
    const claim = await claimKey(publicKey, { ...handlers(), stop }, { surroundings: around })
    const stopping = await stopTunnel(publicKey, { surroundings: around })
    expect(stopping?.pid).toBe(process.pid)
    expect(stops).toBe(1)
    await claim.release()
    expect(await Promise.race([stopping!.ended, sleep(50, 'goes on')])).toBe('goes on')
  })

  it.each([undefined, () => false])('refuses where nobody else may end it', async stop => {
    const around = surroundings()
    const claim = await claimKey(publicKey, { ...handlers(), ...(stop && { stop }) }, { surroundings: around })
    onTestFinished(() => claim.release())
    await expect(stopTunnel(publicKey, { surroundings: around })).rejects.toMatchObject({ code: 'TUNNEL_NOT_STOPPED' })
  })

  it('is none where none runs', async () => {
    expect(await stopTunnel(publicKey, { surroundings: surroundings() })).toBeUndefined()
  })
})
