import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseAuthFile, readAuthFile } from '../../../src/app/auth-file.js'

describe('an auth file', () => {
  it('has a line for each user; a password may have colons and spaces', () => {
    const text = '\ufeff# who\r\nci:secret\r\n\r\nother: a b:c \n'
    expect([...parseAuthFile(text, 'users')]).toEqual([
      ['ci', 'secret'],
      ['other', ' a b:c '],
    ])
  })

  it.each([
    ['', 'users: there is no user: write lines user:password'],
    ['# only\n', 'users: there is no user'],
    ['ci:secret\nword\n', 'users:2: there is no colon'],
    [':secret', 'users:1: the user or the password is empty'],
    ['ci:', 'users:1: the user or the password is empty'],
    [`ci:${'x'.repeat(256)}`, 'users:1: the user or the password is longer than 255 bytes'],
    ['ci:a\0b', 'users:1: there is a control character'],
    ['ci:a\nci:b', 'users:2: the user "ci" is there twice'],
    [Array.from({ length: 1025 }, (_, i) => `u${i}:x`).join('\n'), 'users:1025: there are more than 1024 users'],
  ])('like %j is refused', (text, message) => {
    const error = expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) })
    expect(() => parseAuthFile(text, 'users')).toThrow(error)
  })

  it('shows no password in what it refuses', () => {
    for (const text of ['secret-word', 'ci:secret-word\nci:secret-word', 'ci:secret-word\x07']) {
      expect(() => parseAuthFile(text, 'users')).toThrow(/^(?!.*secret-word)/s)
    }
  })

  it('that others can read is warned of', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunless-auth-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'users')
    const warnings: string[] = []
    writeFileSync(path, 'ci:secret\n', { mode: 0o644 })
    await readAuthFile(path, message => warnings.push(message))
    expect(warnings).toEqual([expect.stringMatching(/users can be read by others \(mode 644\): chmod 600/)])
    await expect(readAuthFile(join(folder, 'missing'), () => {})).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE' })
  })
})
