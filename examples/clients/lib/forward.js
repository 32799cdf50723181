// For libraries that take no connection of ours: a unix socket, for this user alone, that leads to one port in the tunnel.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'

/** `target`: { host, port }. Resolves to the path of the socket, and what removes it. */
export async function openForward(tunnel, target) {
  const folder = await mkdtemp(join(tmpdir(), 'forward-')) // of mode 0700
  const path = join(folder, 'socket')
  const server = createServer({ allowHalfOpen: true }, client => {
    const remote = tunnel.connect({ ...target, allowHalfOpen: true })
    // The library sees its own end close; why is only known here. A server may reset a connection that the library has ended.
    remote.once('error', error => {
      if (!client.readableEnded) console.error(`${target.host}:${target.port}: ${error.message}`)
    })
    pipeline(client, remote, client, () => {})
  })
  server.listen(path)
  await once(server, 'listening')
  const close = async () => {
    server.close()
    await rm(folder, { recursive: true })
  }
  return { path, close }
}
