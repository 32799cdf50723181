// The scripts of the recipes that other tests do not run, each with the real server behind the tunnel.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDeploySite } from '../support/deploy-site.js'
import { farInside } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { must } from '../support/process.js'
import { describeRecipes, recipe } from '../support/recipes.js'
import { startPostgres } from '../support/servers/postgres.js'
import { account, createSite, type Site } from '../support/servers/unprivileged.js'
import { installed } from '../support/tarball.js'
import { makeImage } from '../support/tool-servers.js'

describeRecipes('a script', () => {
  let network: Network
  let env: NodeJS.ProcessEnv
  let servers: Site
  beforeAll(async () => {
    network = await createNetwork()
    const { link } = await createDeploySite(network)
    const bin = join(await installed(), 'node_modules', '.bin')
    env = { PATH: `${bin}:${process.env.PATH}`, TMPDIR: '/tmp', HOME: network.folder, TUNLESS_CONFIG: link.conf }
    servers = await createSite(network.far, farInside[4], ['registry.internal'])
  })
  afterAll(() => network?.close())

  const script = (name: string, args: string[], more: NodeJS.ProcessEnv) =>
    network.near.run('sh', [recipe('scripts', name), ...args], { env: { ...env, ...more } })

  it('migrates a database, all or nothing', async () => {
    await startPostgres(servers)
    const migrations = join(network.folder, 'migrations')
    mkdirSync(migrations)
    const files = {
      first: 'create table users (name text);',
      second: "insert into users values ('ada');",
      bad: 'insert into nothing;',
    }
    for (const [name, sql] of Object.entries(files)) writeFileSync(join(migrations, `${name}.sql`), `${sql}\n`)
    const pgpass = join(network.folder, '.pgpass')
    writeFileSync(pgpass, `*:*:*:*:${account.password}\n`, { mode: 0o600 })
    const login = { PGUSER: account.user, PGDATABASE: 'postgres', PGPASSFILE: pgpass }
    const migrate = (...names: string[]) =>
      script('migrate.sh', ['db:5432', ...names.map(name => join(migrations, `${name}.sql`))], login)

    const failed = await migrate('first', 'second', 'bad')
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining('syntax error') })
    expect(await migrate('first', 'second')).toMatchObject({ code: 0, stderr: expect.stringContaining('exit code 0') })
    const count = ['psql', '-h', farInside[4], '-At', '-c', 'select name from users']
    expect(await network.far.must('env', count, { env: { ...env, ...login } })).toBe('ada\n')
  })

  it('pushes an image to a registry', async () => {
    const folder = join(network.folder, 'registry')
    mkdirSync(folder)
    const config = join(folder, 'config.yml')
    const tls = `tls: { certificate: ${servers.certificate}, key: ${servers.key} }`
    const http = `http: { addr: '${farInside[4]}:5000', secret: test, ${tls} }`
    writeFileSync(config, `version: 0.1\nstorage: { filesystem: { rootdirectory: ${folder}/storage } }\n${http}\n`)
    await network.far.start('docker-registry', ['serve', config]).prints(/listening on/)

    const image = join(network.folder, 'image')
    makeImage(image, Buffer.alloc(1_000_000, 'layer'))
    const archive = join(network.folder, 'image.tar')
    await must('tar', ['-C', image, '-cf', archive, '.'])
    const to = 'registry.internal:5000/app:1.4.2'
    const pushed = await script('push-image.sh', [archive, to], { SSL_CERT_FILE: servers.certificate })
    expect(pushed, pushed.stderr).toMatchObject({ code: 0 })
    const tags = await network.far.must('curl', ['-sS', '-k', `https://${farInside[4]}:5000/v2/app/tags/list`])
    expect(JSON.parse(tags)).toEqual({ name: 'app', tags: ['1.4.2'] })
  })
})
