// A DNS server on a tunnel's own address, over UDP and TCP, with the records of a zone.
import { once } from 'node:events'
import type { DnsMessage } from '../../src/core/wire/dns.js'
import { serialiseDns } from '../../src/core/wire/dns.js'
import type { Tunnel } from '../../src/index.js'
import { answerFrom, overUdp, readQuery, type Zone } from './dns.js'

export interface DnsServerOptions {
  readonly address: string
  /** The zone, or what to answer; undefined stays silent. */
  readonly answers: Zone | ((query: DnsMessage) => DnsMessage | undefined)
}

export interface DnsServer {
  /** `udp a web1.corp`, in order. */
  readonly log: string[]
  /** Source ports of the queries over UDP. */
  readonly ports: number[]
}

export async function startDns(tunnel: Tunnel, { address, answers }: DnsServerOptions): Promise<DnsServer> {
  const log: string[] = []
  const ports: number[] = []
  const answer = (over: string, query: DnsMessage) => {
    const [{ name, type }] = query.questions as [DnsMessage['questions'][number]]
    log.push(`${over} ${type === 1 ? 'a' : 'aaaa'} ${name}`)
    return typeof answers === 'function' ? answers(query) : answerFrom(answers, query)
  }

  const udp = tunnel.createSocket()
  udp.bind(53, address)
  udp.on('message', (message, from) => {
    const query = readQuery(message)
    ports.push(from.port)
    const reply = answer('udp', query)
    if (reply !== undefined) udp.send(overUdp(query, reply), from.port, from.address)
  })

  const tcp = tunnel.createServer(socket => {
    let received = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE()) return
      const reply = answer('tcp', readQuery(received.subarray(2)))
      if (reply === undefined) return
      const bytes = serialiseDns(reply)
      const frame = Buffer.alloc(2)
      frame.writeUInt16BE(bytes.length)
      // In pieces, as TCP may have it.
      socket.write(Buffer.concat([frame, bytes.subarray(0, 1)]))
      socket.write(bytes.subarray(1, 20))
      setImmediate(() => socket.end(bytes.subarray(20)))
    })
  })
  tcp.listen(53, address)
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')])
  return { log, ports }
}
