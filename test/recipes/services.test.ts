// The systemd units of the recipes, their programs started as systemd would: with the unit's environment, as a user without rights,
// and heard on NOTIFY_SOCKET.
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { createBehind } from '../support/behind.js'
import { createDeploySite } from '../support/deploy-site.js'
import { gatewayPair, getThrough, startWhere } from '../support/gateway.js'
import { createNetwork, type Host, type Network } from '../support/netns.js'
import { type Program, start } from '../support/process.js'
import { describeRecipes, readRecipe } from '../support/recipes.js'
import { command } from '../support/tarball.js'

const nobody = 65534

describeRecipes('a service', () => {
  let network: Network
  beforeAll(async () => {
    network = await createNetwork()
  })
  afterAll(() => network?.close())

  it('keeps a tunnel, and tells systemd so', async () => {
    const site = await createDeploySite(network)
    const options = '-L 18000:web1:8000 --metrics 9100'
    const { program, heard } = await startUnit(network.near, 'tunless@.service', site.conf, options)
    await heard.prints(/^READY=1$/m, 60_000)
    expect(heard.stdout).toMatch(/^MAINPID=\d+$/m)
    const url = 'http://127.0.0.1:18000/health'
    expect(await network.near.must('curl', ['-sS', '--fail', url])).toBe('hello\n')
    expect(await program.stop()).toMatchObject({ code: 0 })
    await heard.prints(/^STOPPING=1$/m)
  })

  it('leads to one address, as an access node whose own address the target sees', async () => {
    const behind = await createBehind(network, { 4: '10.7.0.2', 6: 'fd07::2' })
    onTestFinished(() => behind.close())
    await startWhere(behind)
    const { gateway, runner } = gatewayPair(network)
    const route = (line: string) => line.replace('203.0.113.80/32', `${behind.address[4]}/32`)
    const { program, heard } = await startUnit(network.far, 'tunless-access-node.service', gateway, '', route)
    await heard.prints(/^READY=1$/m, 60_000)
    expect(await getThrough(network, runner, `http://${behind.address[4]}:8000/`)).toBe('10.8.0.1')
    // Nothing else is reached, not even its neighbour.
    await expect(getThrough(network, runner, 'http://10.8.0.1:8000/', 3)).rejects.toThrow(/exit status/)
    expect(await program.stop()).toMatchObject({ code: 0 })
  })
})

/** `heard` prints what the service tells systemd. */
async function startUnit(host: Host, name: string, conf: string, options: string, adapt = (line: string) => line) {
  const folder = mkdtempSync(join(tmpdir(), 'unit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const own = (...path: string[]) => {
    chownSync(join(folder, ...path), nobody, nobody)
    return join(folder, ...path)
  }
  for (const directory of ['', 'credentials', 'runtime']) {
    mkdirSync(join(folder, directory), { recursive: true, mode: 0o700 })
    own(directory)
  }
  writeFileSync(join(folder, 'credentials/conf'), conf, { mode: 0o400 })
  own('credentials/conf')

  const socket = join(folder, 'notify')
  const listen = `
import os, socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); print('bound', flush=True)
while True: print(notify.recv(65536).decode(), flush=True)`
  const heard = start('/usr/bin/python3', ['-c', listen, socket])
  await heard.prints(/^bound$/m)

  const unit = readRecipe('systemd', name)
  expect(unit).toMatch(/^Environment=XDG_RUNTIME_DIR=%t\/tunless-/m)
  const [, line] = /^ExecStart=(.*)$/m.exec(unit) as unknown as [string, string]
  const words = adapt(line)
    .split(' ')
    .flatMap(word => (word === '$OPTIONS' ? options.split(' ') : word))
  const [node, bin, ...args] = words.map(word =>
    word.replace(/\$\{CREDENTIALS_DIRECTORY\}/, join(folder, 'credentials')),
  )
  expect([node, bin]).toEqual(['/usr/bin/node', '/opt/tunless/node_modules/tunless/dist/bin.cjs'])
  const drop = [
    `--reuid=${nobody}`,
    `--regid=${nobody}`,
    '--clear-groups',
    '--bounding-set=-all',
    '--no-new-privs',
    '--',
  ]
  const env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket, XDG_RUNTIME_DIR: join(folder, 'runtime') }
  const program: Program = host.start('setpriv', [...drop, ...(await command()), ...(args as string[])], { env })
  return { program, heard }
}
