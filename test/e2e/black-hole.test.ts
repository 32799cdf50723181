// Two real tunnels with a path between them that swallows large datagrams: the connection goes on, and its owner is told why
// it was slow and what to write.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { openTunnel, type Tunnel } from '../../src/index.js'
import { newKeyPair } from '../support/pair.js'

const largest = 1352
const opened: (Tunnel | Socket)[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map(each => each.close()))
})

/** Carries datagrams of up to `largest` bytes between whoever calls it and a port. */
async function relay(port: number): Promise<number> {
  const [outside, inside] = [createSocket('udp4'), createSocket('udp4')]
  opened.push(outside, inside)
  let caller: { port: number; address: string } | undefined
  outside.on('message', (message, from) => {
    caller = from
    if (message.length <= largest) inside.send(message, port, '127.0.0.1')
  })
  inside.on('message', message => {
    if (caller !== undefined && message.length <= largest) outside.send(message, caller.port, caller.address)
  })
  outside.bind(0, '127.0.0.1')
  await once(outside, 'listening')
  return outside.address().port
}

it('a path that swallows large packets is told as a warning, with the MTU that passes (N8)', async () => {
  const keys = [newKeyPair(), newKeyPair()] as const
  const server = await openTunnel({
    text: `[Interface]
PrivateKey = ${keys[0].privateKey}
Address = 10.7.0.1/24
[Peer]
PublicKey = ${keys[1].publicKey}
AllowedIPs = 10.7.0.2/32
`,
  })
  opened.push(server)
  const client = await openTunnel({
    text: `[Interface]
PrivateKey = ${keys[1].privateKey}
Address = 10.7.0.2/32
[Peer]
Name = web1
PublicKey = ${keys[0].publicKey}
AllowedIPs = 10.7.0.0/24
Endpoint = 127.0.0.1:${await relay(server.port)}
`,
  })
  opened.push(client)
  const warnings: string[] = []
  client.on('warning', message => warnings.push(message))
  const sink = server.createServer(socket => socket.resume()).listen(80)
  await once(sink, 'listening')
  const socket = client.connect({ host: '10.7.0.1', port: 80 })
  await once(socket, 'connect')
  // Data enough for every probe: a little each 20 ms.
  const feed = setInterval(() => socket.write(Buffer.alloc(16_384)), 20)
  await once(client, 'warning')
  clearInterval(feed)
  socket.destroy()
  const [, size] =
    /^packets over (\d+) bytes do not pass to web1: path MTU set to \1; set MTU = \1 under \[Interface\]$/.exec(
      warnings[0] as string,
    ) as unknown as [string, string]
  expect(Number(size)).toBeGreaterThan(largest - 32 - 40)
  expect(Number(size)).toBeLessThanOrEqual(largest - 32)
  expect(warnings).toHaveLength(1)
}, 30_000)
