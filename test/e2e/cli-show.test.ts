// `up --uapi` and `show`, without root and without wg.
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { openGateway, run, saying, scratch, silentConf, start } from './cli-support.js'

describe('show', () => {
  it('prints a tunnel by its socket, by its process, and the one that was changed by the socket (W28)', async () => {
    const { conf, directory, tunnel: gateway } = await openGateway()
    const path = join(directory, 'uapi.sock')
    const up = start(['up', '-c', conf, '--uapi', path], directory)
    await saying(up, /the tunnel stands/)
    expect(statSync(path).mode & 0o777).toBe(0o600)

    const bySocket = await run(['show', path], directory)
    expect(bySocket).toMatchObject({ code: 0, stderr: '' })
    expect(bySocket.stdout).toMatch(
      /^interface: uapi\n {2}public key: \S{44}\n {2}private key: \(hidden\)\n {2}listening port: \d+\n\npeer: /,
    )
    expect(bySocket.stdout).toContain(`  endpoint: 127.0.0.1:${gateway.port}\n`)
    expect(bySocket.stdout).toMatch(
      / {2}latest handshake: (Now|\d seconds? ago)\n {2}transfer: [\d.]+ \w+ received, [\d.]+ \w+ sent\n/,
    )
    expect(bySocket.stdout).not.toMatch(/private key: [^(]/)

    const all = await run(['show'], directory)
    expect(all.stdout).toContain(`peer: ${gateway.publicKey}\n`)

    const [shown] = JSON.parse((await run(['show', path, '--json'], directory)).stdout)
    expect(shown).toMatchObject({
      name: 'uapi',
      fwmark: 0,
      peers: [{ publicKey: gateway.publicKey, endpoint: `127.0.0.1:${gateway.port}`, persistentKeepalive: 25 }],
    })
    expect(JSON.stringify(shown)).not.toContain(/^PrivateKey = (.*)$/m.exec(readFileSync(conf, 'utf8'))?.[1])

    const client = connect({ path, allowHalfOpen: true })
    client.end(`set=1\npublic_key=${'5'.repeat(64)}\nallowed_ip=10.99.0.0/16\n\nget=1\n\n`)
    expect(await text(client)).toMatch(/^errno=0\n\nprivate_key=/)
    expect((await run(['show', path], directory)).stdout).toContain('  allowed ips: 10.99.0.0/16\n')

    up.process.kill('SIGTERM')
    expect(await up.finished).toMatchObject({ code: 0 })
    expect(existsSync(path)).toBe(false)
  })

  it('says which interface there is not, and lists nothing where nothing runs', async () => {
    const directory = scratch()
    const missing = await run(['show', 'nosuch0'], directory)
    expect(missing).toMatchObject({ code: 1, stdout: '' })
    expect(missing.stderr).toContain('NO_SUCH_TUNNEL')
    expect((await run(['show', join(directory, 'none.sock')], directory)).stderr).toContain('ENOENT')
  })
})

describe('up', () => {
  it('without any [Peer] waits for those that set=1 brings (W28)', async () => {
    const { conf, directory, tunnel: gateway } = await openGateway()
    const [empty] = readFileSync(conf, 'utf8').split('[Peer]')
    writeFileSync(conf, empty as string)
    const path = join(directory, 'uapi.sock')
    const up = start(['up', '-c', conf, '--uapi', path], directory)
    expect(await saying(up, /the tunnel stands/)).toContain('it has no peers yet')
    const publicKey = Buffer.from(gateway.publicKey, 'base64').toString('hex')
    const peer = `public_key=${publicKey}\nendpoint=127.0.0.1:${gateway.port}\nallowed_ip=10.7.0.1/32\n`
    const client = connect({ path, allowHalfOpen: true })
    const called = once(gateway, 'handshake')
    client.end(`set=1\n${peer}persistent_keepalive_interval=25\n\n`)
    expect(await text(client)).toBe('errno=0\n\n')
    await called
    expect((await run(['show', path], directory)).stdout).toContain('  latest handshake: ')
    up.process.kill('SIGTERM')
    expect(await up.finished).toMatchObject({ code: 0 })
  })

  it.each([
    ['up', []],
    ['nc', ['web1', '22']],
  ])('or nc, without any [Peer] and without a way to add one, is told so: %s', async (command, args) => {
    const { conf, directory } = await openGateway()
    writeFileSync(conf, readFileSync(conf, 'utf8').split('[Peer]')[0] as string)
    expect(await run([command, '-c', conf, ...args], directory)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no \[Peer\] section: add one .*\(CONFIG_INVALID\)/),
    })
  })

  it('ends at once when its socket is removed, even while it waits for the first handshake (W28)', async () => {
    const directory = scratch()
    const path = join(directory, 'uapi.sock')
    const up = start(['up', '-c', silentConf(directory), '--uapi', path, '--timeout', '0'], directory)
    await saying(up, /configured by/)
    unlinkSync(path)
    expect(await up.finished).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`${path} was removed, the tunnel is closed`),
    })
  })

  it.each([
    [['--name', 'a/b'], 2, "is no interface's name"],
    [['--name', 'wg0', '--uapi', 'x'], 2, 'cannot be used with'],
    [['--uapi', '/nonexistent/x.sock'], 1, 'UAPI_SOCKET_FAILED'],
  ])('%j is refused', async (args, code, reason) => {
    const directory = scratch()
    const result = await run(['up', '-c', silentConf(directory), ...args], directory)
    expect(result).toMatchObject({ code, stderr: expect.stringContaining(reason) })
  })
})
