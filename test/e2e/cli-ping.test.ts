import { describe, expect, it } from 'vitest'
import { openGateway, run, saying, scratch, silentConf, start } from './cli-support.js'

describe('ping', () => {
  it('prints what ping(8) prints, and exits with 0', async () => {
    const { conf, directory } = await openGateway()
    const args = ['ping', '-c', conf, '-c', '3', '-i', '0.05', 'gateway']
    const { code, stdout, stderr } = await run(args, directory)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const reply = (n: number) =>
      `64 bytes from gateway \\(10\\.7\\.0\\.1\\): icmp_seq=${n} ttl=64 time=\\d+(\\.\\d+)? ms\\n`
    expect(stdout).toMatch(
      new RegExp(
        `^PING gateway \\(10\\.7\\.0\\.1\\) 56\\(84\\) bytes of data\\.\\n${reply(1)}${reply(2)}${reply(3)}\\n` +
          '--- gateway ping statistics ---\\n3 packets transmitted, 3 received, 0% packet loss, time \\d+ms\\n' +
          'rtt min/avg/max/mdev = \\d+\\.\\d{3}/\\d+\\.\\d{3}/\\d+\\.\\d{3}/\\d+\\.\\d{3} ms\\n$',
      ),
    )
  })

  it('uses the tunnel that runs with its key', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const { code, stdout, stderr } = await run(
      ['ping', '-v', '-c', conf, '--count', '1', '-s', '3000', '10.7.0.1'],
      directory,
    )
    expect(stderr).toContain(`joined the tunnel of process ${up.process.pid}`)
    expect(stdout).toMatch(
      /^PING 10\.7\.0\.1 \(10\.7\.0\.1\) 3000\(3028\) bytes of data\.\n3008 bytes from 10\.7\.0\.1: icmp_seq=1/,
    )
    expect(code).toBe(0)
    up.process.kill('SIGTERM')
    await up.finished
  })

  it('exits with 1 where no answer comes', async () => {
    const { conf, directory } = await openGateway()
    const args = ['ping', '-q', '-c', conf, '-c', '2', '-i', '0.05', '-W', '0.2', '10.7.0.99']
    const { code, stdout } = await run(args, directory)
    expect(stdout).toMatch(
      /^PING 10\.7\.0\.99 .*\n\n--- 10\.7\.0\.99 ping statistics ---\n2 packets transmitted, 0 received, 100% packet loss, time \d+ms\n\n$/,
    )
    expect(code).toBe(1)
  })

  it('sums up at SIGINT', async () => {
    const { conf, directory } = await openGateway()
    const ping = start(['ping', '-c', conf, 'gateway'], directory)
    await expect.poll(ping.printed, { timeout: 10_000 }).toMatch(/icmp_seq=1/)
    ping.process.kill('SIGQUIT')
    await saying(ping, /^\r1\/1 packets, 0% loss, min\/avg\/ewma\/max = /)
    ping.process.kill('SIGINT')
    expect(await ping.finished).toMatchObject({ code: 0, stdout: expect.stringMatching(/\d received, 0% packet loss/) })
  })

  it.each([
    [['nobody'], /unknown host "nobody".*\(UNKNOWN_HOST\)/],
    [['192.0.2.1'], /no peer's AllowedIPs cover 192\.0\.2\.1.*\(NO_ROUTE\)/],
    [['-6', 'gateway'], /gateway has no IPv6 address/],
  ])('exits with 2 for %j', async (args, message) => {
    const { conf, directory } = await openGateway()
    const { code, stderr } = await run(['ping', '-c', conf, '-c', '1', ...args], directory)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) })
  })

  it('exits with 2 where nobody answers the handshake, or the command line is wrong', async () => {
    const directory = scratch()
    const silent = await run(['ping', '-c', silentConf(directory), '--timeout', '200ms', 'gateway'], directory)
    expect(silent).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('(HANDSHAKE_TIMEOUT)') })
    for (const args of [
      ['-i', '0'],
      ['-s', '70000'],
      ['-W', '0'],
      ['--count', '0'],
    ]) {
      expect(await run(['ping', ...args, 'web1'], directory)).toMatchObject({ code: 2, stdout: '' })
    }
  })
})
