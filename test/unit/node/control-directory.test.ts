import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { directoryCandidates, findDirectories, keyName, makeDirectory } from '../../../src/node/control/directory.js'
import { publicKey, surroundings, temporaryDirectory, uid } from './control-support.js'

describe('the directory of control sockets', () => {
  it('is in XDG_RUNTIME_DIR first, then in TMPDIR, else in /tmp', () => {
    const runtime = temporaryDirectory()
    expect(directoryCandidates({ uid, env: { XDG_RUNTIME_DIR: runtime, TMPDIR: '/var/tmp' } })).toEqual([
      join(runtime, 'tunless'),
      `/var/tmp/tunless-${uid}`,
    ])
    expect(directoryCandidates({ uid, env: {} })).toEqual([`/tmp/tunless-${uid}`])
  })

  it.each([
    ['missing', '/nonexistent/run'],
    ['relative', 'run'],
    ['empty', ''],
  ])('is not in an XDG_RUNTIME_DIR that is %s', (_why, runtime) => {
    expect(directoryCandidates({ uid, env: { XDG_RUNTIME_DIR: runtime } })).toEqual([`/tmp/tunless-${uid}`])
  })

  it("is not in another user's XDG_RUNTIME_DIR, as after su", () => {
    const candidates = directoryCandidates({ uid: uid + 1, env: { XDG_RUNTIME_DIR: temporaryDirectory() } })
    expect(candidates).toEqual([`/tmp/tunless-${uid + 1}`])
  })

  it('is in /tmp where TMPDIR is too long for the path of a socket', () => {
    expect(directoryCandidates({ uid, env: { TMPDIR: `/${'x'.repeat(70)}` } })).toEqual([`/tmp/tunless-${uid}`])
  })

  it('has nowhere to be on a platform without user numbers', () => {
    expect(makeDirectory({ uid: undefined, env: {} })).toHaveProperty('reason')
  })

  it('is made for its owner alone, whatever the umask', () => {
    const place = makeDirectory(surroundings())
    expect(statSync((place as { path: string }).path).mode & 0o777).toBe(0o700)
  })

  it.each([
    [
      'open to others',
      (path: string) => mkdirSync(path),
      (path: string) => chmodSync(path, 0o755),
      /is open to others \(mode 755\): remove it/,
    ],
    ['a file', (path: string) => writeFileSync(path, ''), () => {}, /is not a directory/],
    ['a link to a directory', (path: string) => symlinkSync('/tmp', path), () => {}, /is not a directory/],
  ])('is refused where it is %s', (_why, make, change, message) => {
    const around = surroundings()
    const path = directoryCandidates(around)[0] as string
    make(path)
    change(path)
    for (const use of [makeDirectory, findDirectories]) {
      expect(() => use(around)).toThrow(
        expect.objectContaining({ code: 'CONTROL_DIRECTORY_UNSAFE', message: expect.stringMatching(message) }),
      )
    }
  })

  it('is refused where it belongs to someone else', () => {
    const around = { uid: uid + 1, env: { TMPDIR: temporaryDirectory() } }
    mkdirSync(directoryCandidates(around)[0] as string, { mode: 0o700 })
    expect(() => makeDirectory(around)).toThrow(
      expect.objectContaining({ code: 'CONTROL_DIRECTORY_UNSAFE', message: expect.stringContaining(`uid ${uid}`) }),
    )
  })

  it('falls back to TMPDIR where XDG_RUNTIME_DIR takes no directory', () => {
    const around = surroundings({ XDG_RUNTIME_DIR: '/proc' })
    const place = makeDirectory(around)
    expect(place).toEqual({ path: `${around.env.TMPDIR}/tunless-${uid}` })
  })

  it('names a key by a hash that tells nothing of it', () => {
    expect(keyName(publicKey)).toMatch(/^[0-9a-f]{16}$/)
    expect(keyName(publicKey)).not.toBe(keyName(new Uint8Array(32).fill(8)))
  })

  it('is not made by looking for it', () => {
    const around = surroundings()
    expect(findDirectories(around)).toEqual([])
    expect(existsSync(directoryCandidates(around)[0] as string)).toBe(false)
  })
})
