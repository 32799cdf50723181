// The services of the interop tests, the same behind the kernel's TCP and behind a tunnel's own listener.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'

/**
 * GET /hello; GET /payload?times=N&rate=BYTES_A_SECOND answers the file N times over; PUT and POST answer the length
 * and SHA-256 of what they were sent.
 */
export function httpService(file) {
  return createServer(async (request, response) => {
    const url = new URL(request.url, 'http://far')
    try {
      if (request.method !== 'GET') response.end(JSON.stringify(await digest(request)))
      else if (url.pathname === '/payload') {
        const times = Number(url.searchParams.get('times') ?? 1)
        await pipeline(payload(file, times, Number(url.searchParams.get('rate') ?? 0)), response)
      } else response.end('hello\n')
    } catch (error) {
      response.destroy(error)
    }
  })
}

async function* payload(file, times, rate) {
  for (let i = 0; i < times; i++)
    for await (const chunk of createReadStream(file)) {
      yield chunk
      if (rate > 0) await wait((chunk.length * 1000) / rate)
    }
}

/** Reads a request to its FIN, only then answers: its digest as JSON in a line, then the file. */
export async function halfClosedService(socket, file) {
  try {
    const { length, sha256 } = await digest(socket)
    socket.write(`${JSON.stringify({ length, sha256 })}\n`)
    await pipeline(createReadStream(file), socket)
  } catch {
    socket.destroy()
  }
}

/** Answers every line with itself. */
export function echoService(socket) {
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
}

/** Of all that comes. Iterating with for await would destroy the socket at its end, and the answer with it. */
export async function digest(stream) {
  const hash = createHash('sha256')
  let length = 0
  stream.on('data', chunk => {
    hash.update(chunk)
    length += chunk.length
  })
  await once(stream, 'end')
  return { length, sha256: hash.digest('hex') }
}
