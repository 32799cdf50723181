import { test, expect } from 'vitest'
import { createPair } from '../../../support/netstack-pair.js'
import { StreamOwner } from '../../../support/tcp-endpoints.js'
for (const [name, o] of Object.entries({ clean: {}, delay: {delay:20}, loss1: {delay:20, loss:0.01, jitter: 2, duplicate:0.01}, loss5:{delay:20, loss:0.05, jitter:30, corrupt:0.005} })) {
test('transfer ' + name, () => {
  const pair = createPair({ forward: o, back: o })
  const total = 4<<20
  let srv: StreamOwner | undefined
  pair.b.stack.listen({ port: 80 }, c => { srv = new StreamOwner(2,1,total,()=>pair.now).start(c); return srv })
  const cli = new StreamOwner(1,2,total,()=>pair.now)
  cli.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, cli, pair.now))
  const t=performance.now()
  pair.run(() => cli.isClosed && !!srv?.isClosed, 3600e3)
  console.log(name, 'virtual', pair.now-1000, 'real', performance.now()-t, 'packets', pair.a.sent, pair.b.sent, cli.read, srv?.read, cli.error, srv?.error, cli.wrong, srv?.wrong)
  console.log(JSON.stringify(Object.fromEntries(Object.entries(pair.a.stack.counters).filter(([,v])=>v))), pair.a.stack.stats())
  console.log(JSON.stringify(Object.fromEntries(Object.entries(pair.b.stack.counters).filter(([,v])=>v))), pair.b.stack.stats())
  expect(srv?.read).toBe(total); expect(cli.read).toBe(total)
})
}
