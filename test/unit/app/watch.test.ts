// What a command that keeps a tunnel says of its peers.
import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import type { Log } from '../../../src/app/log.js'
import { watchTunnel } from '../../../src/app/watch.js'
import type { Tunnel } from '../../../src/node/tunnel.js'

it('a peer that falls silent and comes back is told of in a sentence each', () => {
  const said: string[] = []
  const info = (line: string) => said.push(line)
  const tunnel = Object.assign(new EventEmitter(), { port: 51820 })
  watchTunnel(tunnel as unknown as Tunnel, { info, warn: info, debug: () => {} } as unknown as Log)
  const peer = { name: 'runner', publicKey: 'k', endpoint: '192.0.2.1:40000', rtt: 12 }
  tunnel.emit('handshake', peer)
  tunnel.emit('silent', peer)
  tunnel.emit('handshake', { ...peer, rtt: undefined })
  tunnel.emit('silent', peer)
  tunnel.emit('handshake', peer)
  expect(said).toEqual([
    'peer runner at 192.0.2.1:40000 does not answer any more; calling it',
    'peer runner at 192.0.2.1:40000 answers again',
    'peer runner at 192.0.2.1:40000 does not answer any more; calling it',
    'peer runner at 192.0.2.1:40000 answers again',
  ])
})
