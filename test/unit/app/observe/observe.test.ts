import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLog } from '../../../../src/app/log.js'
import { type ConnectionEntry, entryOf, entryOfFlow } from '../../../../src/app/observe/connection-log.js'
import { formatMetrics, snakeCase } from '../../../../src/app/observe/exposition.js'
import { type LogSink, openLogSink } from '../../../../src/app/observe/log-sink.js'
import { startMetricsServer } from '../../../../src/app/observe/metrics-server.js'
import { Observer } from '../../../../src/app/observe/observer.js'
import { formatSyslog } from '../../../../src/app/observe/syslog.js'
import type { ConnectionRecord } from '../../../../src/proxy/client.js'
import type { LocalAddress } from '../../../../src/proxy/listener.js'

const record: ConnectionRecord = {
  protocol: 'tcp',
  way: 'socks5',
  client: { host: '127.0.0.1', port: 40_000 },
  target: { host: 'fd07::1', port: 22 },
  result: 'done',
  sent: 5,
  received: 20,
  duration: 1234.5678,
}

const loopback = { host: '127.0.0.1', port: 0 }

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tunless-observe-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function listenTo() {
  const said: string[] = []
  return { said, log: createLog('normal', line => said.push(line)) }
}

/** Also by a reset. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.resume().once('close', () => resolve()))
}

async function fetchFrom(at: LocalAddress, path: string, method = 'GET') {
  const [response] = await once(request({ ...at, path, method }).end(), 'response')
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

describe("Prometheus' text format", () => {
  it('has HELP and TYPE once a metric, and labels escaped', () => {
    const metrics = formatMetrics([
      { name: 'a_total', type: 'counter', help: 'one\nline \\', samples: [{ labels: { x: 'a"b\\c\nd' }, value: 1.5 }] },
      { name: 'b_bytes', type: 'gauge', help: 'None.', samples: [] },
      {
        name: 'c',
        type: 'histogram',
        help: 'H.',
        samples: [{ suffix: '_bucket', labels: { le: '+Inf' }, value: Infinity }],
      },
    ])
    expect(metrics).toBe(
      '# HELP a_total one\\nline \\\\\n# TYPE a_total counter\na_total{x="a\\"b\\\\c\\nd"} 1.5\n' +
        '# HELP b_bytes None.\n# TYPE b_bytes gauge\n' +
        '# HELP c H.\n# TYPE c histogram\nc_bucket{le="+Inf"} +Inf\n',
    )
    expect(['tcpRetransmits', 'udpIn', 'notAMessage', 'ipv6Drop'].map(snakeCase)).toEqual([
      'tcp_retransmits',
      'udp_in',
      'not_a_message',
      'ipv6_drop',
    ])
  })
})

describe('the server of the metrics', () => {
  const start = async (notReady?: string, limits = {}) => {
    const server = await startMetricsServer(loopback, { metrics: () => 'up 1\n', notReady: () => notReady }, limits)
    onTestFinished(() => server.close())
    return server.address as LocalAddress
  }

  it('answers for metrics and probes, and closes each connection', async () => {
    const at = await start()
    expect(await fetchFrom(at, '/metrics?x=1')).toMatchObject({
      status: 200,
      body: 'up 1\n',
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', connection: 'close' },
    })
    expect(await fetchFrom(at, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' })
    expect(await fetchFrom(at, '/readyz')).toMatchObject({ status: 200, body: 'ok\n' })
    expect(await fetchFrom(at, '/metrics', 'HEAD')).toMatchObject({ status: 200, body: '' })
    expect(await fetchFrom(at, '/')).toMatchObject({ status: 404 })
    expect(await fetchFrom(at, '/metrics', 'POST')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })

  it('says why it is not ready', async () => {
    const at = await start('no peer has answered yet')
    expect(await fetchFrom(at, '/readyz')).toMatchObject({ status: 503, body: 'no peer has answered yet\n' })
  })

  it('cuts who is slow, talks nonsense, or comes with too many', async () => {
    const { port } = await start(undefined, { timeout: 300, maxConnections: 3 })
    const began = performance.now()
    const slow = connect(port, '127.0.0.1').on('error', () => {})
    await once(slow, 'connect')
    slow.write('GET /metrics HTTP/1.1\r\nX: ')
    await closed(slow)
    expect(performance.now() - began).toBeLessThan(2000)
    for (const nonsense of ['\x16\x03\x01\n\n', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`]) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      socket.write(nonsense)
      await closed(socket)
    }
    const many = Array.from({ length: 10 }, () => connect(port, '127.0.0.1').on('error', () => {}))
    await Promise.all(many.map(closed))
  })
})

describe('an entry of the connection log', () => {
  it('has every field, whatever there is to say', () => {
    const now = new Date('2030-01-02T03:04:05.678Z')
    expect(entryOf(record, 'web1', now)).toEqual({
      time: '2030-01-02T03:04:05.678Z',
      way: 'socks5',
      protocol: 'tcp',
      client: '127.0.0.1:40000',
      target: '[fd07::1]:22',
      peer: 'web1',
      bytesSent: 5,
      bytesReceived: 20,
      duration: 1.235,
      result: 'done',
      error: null,
      flow: null,
    } satisfies ConnectionEntry)
    const { way: _, client: __, target: ___, ...bare } = record
    const error = Object.assign(new Error('x', { cause: Object.assign(new Error('y'), { code: 'NO_ROUTE' }) }), {
      code: 'E',
    })
    expect(entryOf({ ...bare, result: 'no-route', error }, undefined, now)).toMatchObject({
      way: null,
      client: null,
      target: null,
      peer: null,
      error: 'NO_ROUTE',
    })
  })
})

describe("an entry of a policy's flow", () => {
  it('says whose it was, which rule let it through, and how it ended', () => {
    const now = new Date('2030-01-02T03:04:05.678Z')
    const flow = {
      decision: 'allowed',
      direction: 'in',
      protocol: 'tcp',
      source: { address: '10.7.0.2', port: 40000, node: 'ci1', tags: ['tag:ci'], user: 'alice@example.com' },
      destination: { address: 'fd07::1', port: 22, tags: [] },
      rule: { file: 'policy.hujson', line: 7, column: 5, text: '{}' },
      bytesSent: 5,
      bytesReceived: 20,
      duration: 1234.6,
      count: 1,
    } as const
    expect(entryOfFlow(flow, 'ci1', now)).toEqual({
      time: '2030-01-02T03:04:05.678Z',
      way: 'policy',
      protocol: 'tcp',
      client: '10.7.0.2:40000',
      target: '[fd07::1]:22',
      peer: 'ci1',
      bytesSent: 5,
      bytesReceived: 20,
      duration: 1.235,
      result: 'allowed',
      error: null,
      flow: {
        direction: 'in',
        sourceNode: 'ci1',
        sourceTags: ['tag:ci'],
        sourceUser: 'alice@example.com',
        destinationNode: null,
        destinationTags: [],
        destinationUser: null,
        rule: 'policy.hujson:7',
        refusal: null,
        count: 1,
      },
    } satisfies ConnectionEntry)
    const { rule: _, ...refused } = flow
    const denied = { ...refused, decision: 'denied', refusal: 'no-rule', count: 3 } as const
    expect(entryOfFlow(denied, undefined, now)).toMatchObject({
      peer: null,
      result: 'denied',
      error: 'EACCES',
      flow: { rule: null, refusal: 'no-rule', count: 3 },
    })
  })
})

describe('the connection log', () => {
  it('in a file is begun anew where that was moved away', async () => {
    const path = join(folder(), 'log')
    const { log, said } = listenTo()
    const sink = await openLogSink(path, log)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    sink.write('one')
    await expect.poll(() => readFileSync(path, 'utf8')).toBe('one\n')
    renameSync(path, `${path}.1`)
    sink.write('two')
    sink.reopen()
    sink.write('three')
    await sink.close()
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('one\ntwo\n')
    expect(readFileSync(path, 'utf8')).toBe('three\n')
    expect(said).toEqual([])
  })

  it('in a file that cannot be is an error; one that can no longer be, a warning, and what is lost is counted', async () => {
    const directory = folder()
    const path = join(directory, 'sub', 'log')
    const { log, said } = listenTo()
    await expect(openLogSink(path, log)).rejects.toMatchObject({ code: 'LOG_FAILED' })
    const other = join(directory, 'log')
    const sink = await openLogSink(other, log)
    rmSync(directory, { recursive: true })
    sink.reopen()
    expect(said).toEqual([expect.stringMatching(/cannot be opened again \(ENOENT\)/)])
    sink.write('lost')
    sink.write('lost')
    const again = folder()
    renameSync(again, directory)
    sink.reopen()
    await sink.close()
    expect(JSON.parse(readFileSync(other, 'utf8'))).toEqual({ time: expect.any(String), dropped: 2 })
    rmSync(directory, { recursive: true })
  })

  const syslogLine = (message: string) =>
    new RegExp(`^<30>1 \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z \\S+ tunless ${process.pid} connection - ${message}$`)

  it('is a message of RFC 5424', () => {
    const now = new Date('2030-01-02T03:04:05.678Z')
    expect(formatSyslog('{"a":1}', now, 'höst x', 42)).toBe(
      '<30>1 2030-01-02T03:04:05.678Z hstx tunless 42 connection - {"a":1}',
    )
    expect(formatSyslog('x', now, '', 42)).toContain('Z - tunless')
  })

  it('goes to syslog by UDP', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const sink = await openLogSink(`syslog:127.0.0.1:${server.address().port}`, listenTo().log)
    sink.write('hello')
    const [message] = await once(server, 'message')
    expect(String(message)).toMatch(syslogLine('hello'))
    await sink.close()
  })

  it('goes to syslog by a stream socket, and by logger to one of datagrams', async () => {
    const path = join(folder(), 's')
    const server = createServer().listen(path)
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    const sink = await openLogSink(`syslog:${path}`, listenTo().log)
    const [socket] = await accepted
    const heard = text(socket)
    sink.write('one')
    sink.write('two')
    await sink.close()
    const lines = (await heard).split('\n')
    expect(lines).toEqual([expect.stringMatching(syslogLine('one')), expect.stringMatching(syslogLine('two')), ''])
  })

  it.runIf(existsSync('/usr/bin/logger') && existsSync('/usr/bin/python3'))(
    'goes by logger to a datagram socket',
    async () => {
      const path = join(folder(), 'd')
      const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(sys.argv[1]);print('bound',flush=True);print(s.recv(4096).decode(),flush=True)`
      const daemon = spawn('python3', ['-c', script, path])
      onTestFinished(() => void daemon.kill())
      let heard = ''
      daemon.stdout.on('data', chunk => {
        heard += chunk
      })
      await expect.poll(() => heard, { timeout: 10_000 }).toBe('bound\n')
      const sink: LogSink = await openLogSink(`syslog:${path}`, listenTo().log)
      sink.write('{"result":"done"}')
      await expect.poll(() => heard, { timeout: 10_000 }).toMatch(/tunless.*\{"result":"done"\}/)
      await sink.close()
    },
  )

  it.each([['syslog:/nowhere/log'], ['syslog:nohost.invalid:1']])('%s is an error', async where => {
    await expect(openLogSink(where, listenTo().log)).rejects.toMatchObject({ code: 'LOG_FAILED' })
  })

  it.each([['syslog:a:b:c'], ['syslog:127.0.0.1:0'], ['syslog:127.0.0.1:70000']])('%s is refused', async where => {
    await expect(openLogSink(where, listenTo().log)).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('an observer', () => {
  it('counts connections, and warns where others can read that', async () => {
    const { log, said } = listenTo()
    const observer = await Observer.open({ metrics: { host: '0.0.0.0', port: 0 } }, log)
    onTestFinished(() => observer.close())
    expect(said[0]).toMatch(/warning: --metrics on 0\.0\.0\.0:0: whoever reaches this host can read them/)
    for (const duration of [50, 500, 5000]) observer.onConnection({ ...record, duration })
    observer.onConnection({ ...record, result: 'refused', sent: 0, received: 0, duration: 5 })
    const { port } = observer.address as LocalAddress
    const { body } = await fetchFrom({ host: '127.0.0.1', port }, '/metrics')
    for (const line of [
      'tunless_connections_total{way="socks5",protocol="tcp",result="done"} 3',
      'tunless_connections_total{way="socks5",protocol="tcp",result="refused"} 1',
      'tunless_connection_sent_bytes_total{way="socks5",protocol="tcp"} 15',
      'tunless_connection_received_bytes_total{way="socks5",protocol="tcp"} 60',
      'tunless_connection_duration_seconds_bucket{way="socks5",protocol="tcp",le="0.1"} 2',
      'tunless_connection_duration_seconds_bucket{way="socks5",protocol="tcp",le="10"} 4',
      'tunless_connection_duration_seconds_bucket{way="socks5",protocol="tcp",le="+Inf"} 4',
      'tunless_connection_duration_seconds_count{way="socks5",protocol="tcp"} 4',
    ]) {
      expect(body.split('\n')).toContain(line)
    }
    expect(await fetchFrom({ host: '127.0.0.1', port }, '/readyz')).toMatchObject({
      status: 503,
      body: 'the tunnel is being opened\n',
    })
  })

  it('is nothing where it was not asked for', async () => {
    const observer = await Observer.open({}, listenTo().log)
    expect(observer.address).toBeUndefined()
    const dial = async () => ({}) as never
    expect(observer.dialer(dial)).toBe(dial)
    observer.onConnection(record)
    await observer.close()
  })
})
