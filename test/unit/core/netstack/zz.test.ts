import { test } from 'vitest'
import { dialled, payload } from '../../../support/tcp-handshakes.js'
test('x', () => {
  const { s, c } = dialled('mss 1000,sackOK,wscale 7')
  c.write(payload(20_000), 0, s.now)
  console.log(s.take())
  for (const l of ['. 1:1(0) ack 1001 win 512 <sack 2001:3001>','. 1:1(0) ack 1001 win 512 <sack 2001:4001>','. 1:1(0) ack 1001 win 512 <sack 5001:6001 2001:4001>']) {
  s.send(l); console.log(l, s.take(), (c as any).board, (c as any).inFlight, c.stats) }
})
