// Each example of examples/clients against the real server, on a host behind WireGuard that is not ours.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { installClientExamples, promised } from '../support/client-examples.js'
import { describeInterop } from '../support/interop.js'
import { createLink, farInside, nearInside } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { must, type Result } from '../support/process.js'
import { startExim } from '../support/servers/exim.js'
import { startMariadb } from '../support/servers/mariadb.js'
import { startPostgres } from '../support/servers/postgres.js'
import { startRabbitmq } from '../support/servers/rabbitmq.js'
import { startRedis } from '../support/servers/redis.js'
import { createSite, type Site, startAsNobody } from '../support/servers/unprivileged.js'
import { startSshd } from '../support/sshd.js'
import { command, projectRoot } from '../support/tarball.js'

/** What the certificate is for. */
const names = ['db', 'redis', 'mq', 'mail', 'web1', 'app'].map(name => `${name}.internal`)
/** Another name of the same host. */
const stranger = 'stranger.internal'

describeInterop('an example of a client library', () => {
  let network: Network
  let folder: string
  let conf: string
  let site: Site
  let mailbox: string
  beforeAll(async () => {
    network = await createNetwork()
    const link = await createLink(network, { family: 4, psk: false, initiator: 'near' })
    const hosts = [...names, stranger].map(name => `Host = ${name} ${farInside[4]}\n`).join('')
    conf = join(network.folder, 'deploy.conf')
    writeFileSync(conf, readFileSync(link.conf, 'utf8').replace('[Interface]\n', `[Interface]\n${hosts}`), {
      mode: 0o600,
    })
    site = await createSite(network.far, farInside[4], names)
    const servers = [startPostgres, startMariadb, startRedis, startRabbitmq].map(start => start(site))
    const starting = Promise.all([...servers, startSshd(network, link)])
    starting.catch(() => {}) // told below
    ;[folder, mailbox] = await Promise.all([installClientExamples(), startExim(site)])
    copyFileSync(join(projectRoot, 'test', 'consumers', 'services.mjs'), join(folder, 'services.mjs'))
    const args = [join(folder, 'services.mjs'), site.address, site.certificate, site.key]
    await startAsNobody(site, folder, process.execPath, args).prints(/listening/)
    await starting
  })
  afterAll(() => network?.close())

  function run(name: string, env: Record<string, string>, ...args: string[]): Promise<Result> {
    const { PATH } = process.env
    return network.near.run(process.execPath, [join(folder, `${name}.js`), conf, ...args], {
      env: { PATH, NODE_EXTRA_CA_CERTS: site.certificate, ...env },
    })
  }

  async function works(name: string, env: Record<string, string>, ...args: string[]): Promise<void> {
    expect(await run(name, env, ...args)).toMatchObject({ code: 0, stderr: '', stdout: promised(name) })
  }

  it.each([
    ['pg', { DATABASE_URL: 'postgres://deploy:secret@db.internal/postgres' }],
    ['pg', { DATABASE_URL: 'postgres://deploy:secret@db.internal/postgres?sslmode=verify-full' }],
    ['mysql2', { DATABASE_URL: 'mysql://deploy:secret@db.internal/app' }],
    ['mysql2', { DATABASE_URL: 'mysql://deploy:secret@db.internal/app?ssl={"verifyIdentity":true}' }],
    ['ioredis', { REDIS_URL: 'redis://:secret@redis.internal' }],
    ['ioredis', { REDIS_URL: 'rediss://:secret@redis.internal:6380' }],
    ['nodemailer', { SMTP_URL: 'smtps://deploy:secret@mail.internal:465' }],
    ['amqplib', { AMQP_URL: 'amqp://deploy:secret@mq.internal' }],
    ['amqplib', { AMQP_URL: 'amqps://deploy:secret@mq.internal' }],
    ['ws', { WS_URL: 'ws://app.internal:8080/deploys' }],
    ['ws', { WS_URL: 'wss://app.internal:8443/deploys' }],
    ['grpc-js', { GRPC_TARGET: 'app.internal:50051' }],
    ['grpc-js', { GRPC_TARGET: 'app.internal:50052', GRPC_TLS: '1' }],
    ['fetch', { HEALTH_URL: 'http://app.internal:8080/health' }],
    ['fetch', { HEALTH_URL: 'https://app.internal:8443/health' }],
    ['http-agent', { HEALTH_URL: 'http://app.internal:8080/health' }],
    ['http-agent', { HEALTH_URL: 'https://app.internal:8443/health' }],
    ['undici', { HEALTH_URL: 'http://app.internal:8080/health' }],
    ['undici', { HEALTH_URL: 'https://app.internal:8443/health' }],
  ] as [string, Record<string, string>][])('%s works with %o', works)

  it.each([
    ['pg', { DATABASE_URL: 'postgres://deploy:secret@db.internal:8079/postgres' }],
    ['mysql2', { DATABASE_URL: 'mysql://deploy:secret@db.internal:8079/app' }],
    ['ioredis', { REDIS_URL: 'redis://redis.internal:8079' }],
    ['nodemailer', { SMTP_URL: 'smtp://mail.internal:8079' }],
    ['amqplib', { AMQP_URL: 'amqp://mq.internal:8079' }],
    ['ws', { WS_URL: 'ws://app.internal:8079' }],
    ['grpc-js', { GRPC_TARGET: 'app.internal:8079' }],
    ['fetch', { HEALTH_URL: 'http://app.internal:8079' }],
    ['http-agent', { HEALTH_URL: 'https://app.internal:8079' }],
    ['undici', { HEALTH_URL: 'http://app.internal:8079' }],
  ] as [string, Record<string, string>][])('%s says that the server refuses: %o', async (name, env) => {
    const { code, stderr } = await run(name, env)
    expect(stderr).toContain('ECONNREFUSED')
    expect(code).toBe(1)
  })

  it.each([
    ['pg', { DATABASE_URL: `postgres://deploy:secret@${stranger}/postgres?sslmode=verify-full` }],
    ['mysql2', { DATABASE_URL: `mysql://deploy:secret@${stranger}/app?ssl={"verifyIdentity":true}` }],
    ['ioredis', { REDIS_URL: `rediss://:secret@${stranger}:6380` }],
    ['nodemailer', { SMTP_URL: `smtp://deploy:secret@${stranger}:587` }],
    ['amqplib', { AMQP_URL: `amqps://deploy:secret@${stranger}` }],
    ['ws', { WS_URL: `wss://${stranger}:8443` }],
    ['grpc-js', { GRPC_TARGET: `${stranger}:50052`, GRPC_TLS: '1' }],
    ['fetch', { HEALTH_URL: `https://${stranger}:8443` }],
    ['http-agent', { HEALTH_URL: `https://${stranger}:8443` }],
    ['undici', { HEALTH_URL: `https://${stranger}:8443` }],
  ] as [string, Record<string, string>][])('%s refuses a certificate for another name', async (name, env) => {
    const { code, stderr } = await run(name, env)
    expect(stderr).toContain("does not match certificate's altnames")
    expect(code).toBe(1)
  })

  it('grpc-js needs no example of ours under run', async () => {
    copyFileSync(join(projectRoot, 'test', 'consumers', 'health.mjs'), join(folder, 'health.mjs'))
    const args = ['run', '-c', conf, process.execPath, join(folder, 'health.mjs'), 'app.internal:50051']
    const [node, ...rest] = (await command()) as [string, ...string[]]
    expect(await network.near.run(node, [...rest, ...args])).toMatchObject({ code: 0, stdout: 'SERVING\n' })
  })

  it('takes the text of a configuration from TUNLESS_CONFIG', async () => {
    const env = {
      ...process.env,
      TUNLESS_CONFIG: readFileSync(conf, 'utf8'),
      REDIS_URL: 'redis://:secret@redis.internal',
    }
    const result = await network.near.run(process.execPath, [join(folder, 'ioredis.js')], { env })
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: promised('ioredis') })
  })

  it('dgram sends and hears', () => works('dgram', {}, 'app.internal', '8125'))

  it('server is asked from the far side', async () => {
    const serving = run('server', {}, '8000')
    const url = `http://${nearInside[4]}:8000/done`
    const retrying = ['--connect-timeout', '2', '--retry', '30', '--retry-delay', '1', '--retry-all-errors']
    expect(await network.far.must('curl', ['-sS', ...retrying, url])).toBe('thank you\n')
    expect(await serving).toMatchObject({ code: 0, stderr: '', stdout: promised('server') })
  })

  it('ssh2 uploads a file and runs a command', async () => {
    const key = join(network.folder, 'ssh', 'user')
    const [, fingerprint = ''] = (
      await must('ssh-keygen', ['-l', '-f', join(network.folder, 'ssh', 'host.pub')])
    ).split(' ')
    const www = join(network.folder, 'www')
    mkdirSync(www)
    const target = `root@web1.internal:${join(www, 'release.txt')}`
    await works('ssh2', { SSH_KEY: key, SSH_FINGERPRINT: fingerprint }, target)
    expect(readFileSync(join(www, 'release.txt'), 'utf8')).toBe('release 1.2.3\n')
    const forged = await run('ssh2', { SSH_KEY: key, SSH_FINGERPRINT: 'SHA256:other' }, target)
    expect(forged.stderr).toContain('Host denied')
    expect(forged.code).toBe(1)
  })

  it('nodemailer delivers over STARTTLS', async () => {
    await works('nodemailer', { SMTP_URL: 'smtp://deploy:secret@mail.internal:587' })
    expect(readFileSync(mailbox, 'utf8')).toMatch(/esmtpsa.*\n[\s\S]*Subject: Release 1\.2\.3/)
  })
})
