// The containers of the Kubernetes and compose recipes: their commands, arguments and probes taken from the files, in a root folder
// as docker/Dockerfile makes it, with no more rights than the recipe leaves.
import { chownSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Alpine, createAlpine } from '../support/alpine.js'
import { type Behind, createBehind } from '../support/behind.js'
import { createDeploySite, type DeploySite } from '../support/deploy-site.js'
import { gatewayPair, getThrough, startWhere } from '../support/gateway.js'
import { farInside } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { until } from '../support/process.js'
import { describeRecipes, readRecipe, readYaml } from '../support/recipes.js'
import { installed } from '../support/tarball.js'

interface Probe {
  httpGet: { path: string; port: string }
}
interface Container {
  command?: string[]
  args: string[]
  env: { name: string; value?: string }[]
  ports?: { name: string; containerPort: number }[]
  startupProbe?: Probe
  readinessProbe?: Probe
  livenessProbe?: Probe
}

interface Pod {
  securityContext: object
  initContainers?: Container[]
  containers: Container[]
}
interface Deployment {
  spec: { template: { spec: Pod } }
}
interface Compose {
  services: { tunnel: { command: string[]; healthcheck: { test: [string, ...string[]] } } }
}
const podOf = (deployment: Deployment) => deployment.spec.template.spec

describeRecipes('a container', () => {
  let network: Network
  let site: DeploySite
  let alpine: Alpine
  let behind: Behind
  const entrypoint: string[] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(readRecipe('docker/Dockerfile'))?.[1] ?? '')
  beforeAll(async () => {
    network = await createNetwork()
    site = await createDeploySite(network)
    behind = await createBehind(network, { 4: '10.7.0.2', 6: 'fd07::2' })
    alpine = await createAlpine(join(network.folder, 'image'))
    const app = join(alpine.root, 'app')
    cpSync(join(await installed(), 'node_modules'), join(app, 'node_modules'), { recursive: true })
    const migrate = `node -e "net.connect(5432, process.env.PGHOST).on('data', data => console.log('server says ' + data))"`
    writeFileSync(join(app, 'package.json'), JSON.stringify({ scripts: { migrate } }))
    const greet = `require('net').createServer(socket => socket.on('error', () => {}).end('welcome')).listen(5432, '${farInside[4]}')`
    network.far.start(process.execPath, ['-e', greet])
  })
  afterAll(async () => {
    await behind?.close()
    await network?.close()
  })

  const confOf = ({ env }: Container) => {
    const given = Object.fromEntries(env.map(({ name, value }) => [name, value ?? site.conf]))
    expect(given).toHaveProperty('TUNLESS_CONFIG', site.conf)
    return given
  }
  const welcome = () => network.near.run('nc', ['-N', '127.0.0.1', '5432'])

  it('as a sidecar leads a port of its pod into the tunnel, answers its probes, and ends when it is told', async () => {
    const [, deployment] = (await readYaml('kubernetes/sidecar.yaml')) as [unknown, Deployment]
    const pod = podOf(deployment)
    expect(pod.securityContext).toMatchObject({ runAsUser: 65532, runAsNonRoot: true })
    const [sidecar] = pod.initContainers as [Container]
    const options = { cwd: '/', env: confOf(sidecar) }
    const program = alpine.startConfined(network.near, [...entrypoint, ...sidecar.args], options)
    const probe = async ({ httpGet }: Probe = { httpGet: { path: '', port: '' } }) => {
      const port = sidecar.ports?.find(({ name }) => name === httpGet.port)?.containerPort
      const url = `http://${network.underlay.near[4]}:${port}${httpGet.path}`
      return (await network.near.run('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', url])).stdout
    }
    await until('the startup probe', async () => (await probe(sidecar.startupProbe)) === '200', 30_000)
    expect(await probe(sidecar.readinessProbe)).toBe('200')
    expect(await probe(sidecar.livenessProbe)).toBe('200')
    expect((await welcome()).stdout).toBe('welcome')
    const status = readFileSync(`/proc/${program.pid}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m)
    expect(status).toMatch(/^CapEff:\t0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
    for (const line of program.stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('message')
    expect(await program.stop()).toMatchObject({ code: 0 })
  })

  it('as an init container migrates through the tunnel, and ends', async () => {
    const [deployment] = (await readYaml('kubernetes/migrate.yaml')) as [Deployment]
    const [migrate] = podOf(deployment).initContainers as [Container]
    const options = { cwd: '/app', env: confOf(migrate) }
    const program = alpine.startConfined(network.near, [...(migrate.command ?? []), ...migrate.args], options)
    expect(await program.ended()).toMatchObject({ code: 0, stdout: expect.stringContaining('server says welcome\n') })
  })

  it('of compose leads a port into the tunnel, and knows its health', async () => {
    const [{ services }] = (await readYaml('docker/compose.yaml')) as [Compose]
    const secret = join(alpine.root, 'run/secrets/tunless')
    mkdirSync(join(secret, '..'), { recursive: true })
    writeFileSync(secret, site.conf, { mode: 0o400 })
    chownSync(secret, 65532, 65532)
    const { command, healthcheck } = services.tunnel
    const healthy = async () => {
      const [kind, ...check] = healthcheck.test
      expect(kind).toBe('CMD')
      return (await alpine.startConfined(network.near, check, { cwd: '/app', env: {} }).ended()).code
    }
    expect(await healthy()).toBe(1)
    const program = alpine.startConfined(network.near, [...entrypoint, ...command], { cwd: '/app', env: {} })
    await until('its health', async () => (await healthy()) === 0, 30_000)
    expect((await welcome()).stdout).toBe('welcome')
    expect(await program.stop()).toMatchObject({ code: 0, stderr: expect.stringContaining('the tunnel stands') })
  })

  it('as a subnet router leads peers to the services of its network', async () => {
    const [, deployment] = (await readYaml('kubernetes/subnet-router.yaml')) as [unknown, Deployment]
    const [router] = podOf(deployment).containers as [Container]
    const { gateway, runner } = gatewayPair(network)
    const env = { TUNLESS_CONFIG: gateway }
    const args = router.args.map(arg => (arg === '10.96.0.0/12' ? '10.8.0.0/24' : arg))
    expect(args).not.toEqual(router.args)
    const program = alpine.startConfined(network.far, [...entrypoint, ...args], { cwd: '/', env })
    await program.prints(/the gateway stands/)
    await startWhere(behind)
    expect(await getThrough(network, runner, `http://${behind.address[4]}:8000/`)).toBe('10.8.0.1')
    expect(await program.stop()).toMatchObject({ code: 0 })
    expect(program.stderr).toMatch(/"way":"serve".*"result":"done"/)
  })
})
