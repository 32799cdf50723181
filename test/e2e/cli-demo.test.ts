import { expect, it } from 'vitest'
import { filesIn, run, scratch } from './cli-support.js'

it('the demo shows a server that only the tunnel reaches, in less than 10 s, and leaves nothing', async () => {
  const directory = scratch()
  const began = performance.now()
  const { code, stdout, stderr } = await run(['demo'], directory)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(performance.now() - began).toBeLessThan(10_000)
  const [title, ...lines] = stdout.trimEnd().split('\n')
  expect(title).toBe('tunless demo: a web server that can be reached through WireGuard alone')
  expect(lines).toEqual([
    expect.stringMatching(
      /^ {2}gateway +process \d+ listens on UDP port \d+ and on no other; the web server is inside$/,
    ),
    expect.stringMatching(/^ {2}direct +http:\/\/127\.0\.0\.1:\d+\/ without the tunnel: no way in \(ECONNREFUSED\)$/),
    expect.stringMatching(/^ {2}handshake +with gateway at 127\.0\.0\.1:\d+ in \d+\.\d ms$/),
    expect.stringMatching(
      /^ {2}tunnel +http:\/\/gateway:\d+\/ through the tunnel: 200 "hello from behind the gateway, [0-9a-f]{8}"$/,
    ),
    expect.stringMatching(/^ {2}speed +\d+\.\d MB in \d+\.\d\d s, \d+ Mbit\/s/),
    expect.stringMatching(
      /^ {2}done +in \d+\.\d s, without root, TUN device or firewall rule; nothing is left behind$/,
    ),
  ])
  expect(filesIn(directory)).toEqual([])
})
