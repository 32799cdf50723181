// Private directories, keys and echoing dialers for the tests of the control socket.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import type { Surroundings } from '../../../src/node/control/directory.js'
import type { ControlHandlers } from '../../../src/node/control.js'

export const uid = process.getuid?.() as number
export const publicKey = new Uint8Array(32).fill(7)

export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'tunless-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function surroundings(env: Record<string, string | undefined> = {}): Surroundings {
  return { uid, env: { TMPDIR: temporaryDirectory(), ...env } }
}

/** Two ends of one connection, over a real unix socket because half-close is the kernel's. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const path = join(temporaryDirectory(), 's')
  const { connect } = await import('node:net')
  return new Promise(resolve => {
    const server = createServer({ allowHalfOpen: true }, accepted => {
      server.close()
      onTestFinished(() => {
        accepted.destroy()
        client.destroy()
      })
      resolve([client, accepted])
    })
    server.listen(path)
    const client = connect({ path, allowHalfOpen: true })
  })
}

/** A target that answers `echo:` and everything it got, after the end of what it gets. */
export function echoAtEnd(): Duplex {
  const chunks: Buffer[] = []
  const stream: Duplex = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      chunks.push(chunk)
      done()
    },
    final(done) {
      stream.push(`echo:${Buffer.concat(chunks)}`)
      stream.push(null)
      done()
    },
  })
  return stream
}

export function handlers(dial: ControlHandlers['dial'] = async () => echoAtEnd()): ControlHandlers {
  return { dial, status: () => ({ publicKey: 'a key', peers: 2 }) }
}

/** Up to the end of what the stream has to read; its writable side stays open. */
export async function readAll(stream: Duplex): Promise<string> {
  let text = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) text += chunk
  return text
}
