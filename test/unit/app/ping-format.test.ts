import { describe, expect, it } from 'vitest'
import { formatFailure, formatHeading, formatReply, PingStatistics } from '../../../src/app/ping-format.js'

const web1 = { host: 'web1', address: '10.7.0.1', size: 56 }

describe("what ping prints is iputils'", () => {
  it.each([
    [web1, 'PING web1 (10.7.0.1) 56(84) bytes of data.'],
    [{ ...web1, host: '10.7.0.1', size: 1000 }, 'PING 10.7.0.1 (10.7.0.1) 1000(1028) bytes of data.'],
    [{ host: 'fd07::1', address: 'fd07::1', size: 56 }, 'PING fd07::1 (fd07::1) 56 data bytes'],
  ])('%o', (target, line) => {
    expect(formatHeading(target)).toBe(line)
  })

  it.each([
    [0.0451, '0.045'],
    [0.9999, '1.00'],
    [8.034, '8.03'],
    [12.34, '12.3'],
    [99.96, '100'],
    [1234.5, '1235'],
  ])('a time of %d ms as %s', (rtt, text) => {
    expect(formatReply(web1, 3, { rtt, ttl: 63 })).toBe(
      `64 bytes from web1 (10.7.0.1): icmp_seq=3 ttl=63 time=${text} ms`,
    )
  })

  it('an address once', () => {
    const target = { host: '10.7.0.1', address: '10.7.0.1', size: 8 }
    expect(formatReply(target, 1, { rtt: 5, ttl: 64 })).toBe('16 bytes from 10.7.0.1: icmp_seq=1 ttl=64 time=5.00 ms')
  })

  it('what a router answered, and no other code', () => {
    expect(formatFailure(web1, 2, 'EHOSTUNREACH')).toBe('To 10.7.0.1 icmp_seq=2 Destination Host Unreachable')
    expect(formatFailure(web1, 2, 'EACCES')).toBe('To 10.7.0.1 icmp_seq=2 Packet filtered')
    for (const code of ['EIO', 'constructor', 'undefined']) expect(formatFailure(web1, 2, code)).toBeUndefined()
  })

  it('the summary, with mean and deviation', () => {
    const statistics = new PingStatistics()
    statistics.transmitted = 3
    for (const rtt of [1, 2, 6]) statistics.add(rtt)
    expect(statistics.summary('web1', 2003.4)).toBe(
      [
        '',
        '--- web1 ping statistics ---',
        '3 packets transmitted, 3 received, 0% packet loss, time 2003ms',
        'rtt min/avg/max/mdev = 1.000/3.000/6.000/2.160 ms',
      ].join('\n'),
    )
    expect(statistics.brief).toBe('3/3 packets, 0% loss, min/avg/ewma/max = 1.000/3.000/1.734/6.000 ms')
  })

  it('the summary without an answer, and before any request', () => {
    const statistics = new PingStatistics()
    expect(statistics.summary('web1', 0)).toBe('\n--- web1 ping statistics ---\n0 packets transmitted, 0 received\n')
    expect(statistics.brief).toBe('0/0 packets')
    statistics.transmitted = 2
    statistics.errors = 1
    expect(statistics.summary('web1', 1000)).toBe(
      '\n--- web1 ping statistics ---\n2 packets transmitted, 0 received, +1 errors, 100% packet loss, time 1000ms\n',
    )
    statistics.transmitted = 3
    statistics.add(1)
    expect(statistics.summary('web1', 1000)).toContain('66.6667% packet loss')
  })
})
