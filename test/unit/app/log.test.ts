import { afterEach, describe, expect, it } from 'vitest'
import { createLog, type LogLevel, setLogFormat } from '../../../src/app/log.js'

afterEach(() => setLogFormat('text'))

function say(level: LogLevel): string[] {
  const lines: string[] = []
  const log = createLog(level, line => lines.push(line))
  log.error('no handshake (HANDSHAKE_TIMEOUT)')
  log.warn('others can read it')
  log.info('one\ntwo (and 3 times more before)')
  log.debug('detail')
  return lines
}

describe('diagnostics', () => {
  it('are lines that begin with our name', () => {
    expect(say('verbose')).toEqual([
      'tunless: no handshake (HANDSHAKE_TIMEOUT)\n',
      'tunless: warning: others can read it\n',
      'tunless: one\ntunless: two (and 3 times more before)\n',
      'tunless: detail\n',
    ])
    expect(say('normal')).toHaveLength(3)
    expect(say('quiet')).toHaveLength(1)
  })

  it('are JSON where that was asked for, with the code apart', () => {
    setLogFormat('json')
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    expect(say('verbose').map(line => JSON.parse(line))).toEqual([
      { time, level: 'error', message: 'no handshake', code: 'HANDSHAKE_TIMEOUT' },
      { time, level: 'warning', message: 'others can read it' },
      { time, level: 'info', message: 'one\ntwo (and 3 times more before)' },
      { time, level: 'debug', message: 'detail' },
    ])
  })
})
