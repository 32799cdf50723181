// What the project promises not to change in silence, as texts by the names of their files in test/snapshots/. Made from dist/.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWorld, withoutFigures } from '../transcripts/world.js'
import { describeDeclarations } from './declarations.js'

const root = new URL('../../', import.meta.url)
const dist = new URL('dist/', root)
const load = path => import(new URL(path, dist))
const declared = (path, names) => describeDeclarations(new URL(path, dist).pathname, names)

export async function makeSnapshots() {
  const { errorCodes, TunnelError } = await load('errors.js')
  return {
    'api.d.ts.txt': declared('index.d.ts'),
    'api-testing.d.ts.txt': declared('testing/index.d.ts'),
    'error-codes.txt': Object.entries(errorCodes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, { means, remedy }]) => `${code}\n  ${means}\n  ${remedy}\n`)
      .join(''),
    'exit-codes.txt': await exitCodes(Object.keys(errorCodes), TunnelError),
    'help.txt': await helps(),
    'json.txt': await json(TunnelError),
    'metrics.txt': await metrics(),
  }
}

async function exitCodes(codes, TunnelError) {
  const { exitCodes, exitCodeOf, runExitCodeOf } = await load('cli/exit-codes.js')
  const { commandCodes } = await load('app/run-command.js')
  return [
    ...Object.entries(exitCodes).map(([name, code]) => `${code} ${name}\n`),
    ...Object.entries(commandCodes).map(([name, code]) => `${code} of run: ${name}\n`),
    '\nan error’s code, and in run\n',
    ...codes
      .sort()
      .map(code => `${exitCodeOf(new TunnelError(code, ''))} ${runExitCodeOf(new TunnelError(code, ''))} ${code}\n`),
  ].join('')
}

async function helps() {
  const { createProgram } = await load('cli/main.js')
  const program = createProgram(() => {})
  const texts = []
  for (const command of [program, ...program.commands]) {
    const words = ['tunless', ...(command === program ? [] : [command.name()]), '--help']
    texts.push(`$ ${words.join(' ')}\n`)
    command.configureOutput({
      writeOut: text => texts.push(text),
      getOutHelpWidth: () => 80,
      getOutHasColors: () => false,
    })
    command.outputHelp()
    texts.push('\n')
  }
  return texts.join('')
}

/** The fields of what programs read, with their types. */
async function json(TunnelError) {
  const [findings, log] = await Promise.all(['app/check/findings.js', 'app/log.js'].map(load))
  const finding = findings.failure('target', new TunnelError('TARGET_REFUSED', ''), { subject: 'web1:22' })
  log.setLogFormat('json')
  const lines = []
  for (const [level, message] of [
    ['error', 'of an error (TARGET_REFUSED)'],
    ['warn', 'of another'],
    ['info', ''],
    ['debug', ''],
  ])
    log.createLog('verbose', line => lines.push(line))[level](message)
  log.setLogFormat('text')
  return [
    `check --json\n\n${fieldsOf(findings.formatJson([finding]))}\n${declared('app/check/findings.d.ts', ['Finding'])}`,
    `--connection-log\n\n${declared('app/observe/connection-log.d.ts', ['ConnectionEntry'])}`,
    `--ready-file\n\n${declared('app/ready-file.d.ts', ['ReadyReport'])}`,
    `show --json, an array of\n\n${declared('app/show-format.d.ts', ['ShownInterface'])}`,
    `bench --json\n\n${declared('app/bench/report.d.ts', ['Report'])}`,
    `--log json\n\n${lines.map(fieldsOf).join('\n')}`,
  ].join('\n\n')
}

/** `{ ok: boolean, findings: [{ … }] }`: names and types, strings of a few as they are. */
function fieldsOf(text) {
  const describe = value => {
    if (Array.isArray(value)) return `[${value.map(describe).join(', ')}]`
    if (value === null || typeof value !== 'object') return typeof value
    const fields = Object.entries(value).map(([name, one]) =>
      name === 'level' ? `level: '${one}'` : `${name}: ${describe(one)}`,
    )
    return `{ ${fields.join(', ')} }`
  }
  return `${describe(JSON.parse(text))}\n`
}

/** Name, type and help of each metric, and the events that are counted by name. */
async function metrics() {
  const [{ tunnelMetrics, processMetrics }, { ConnectionCount }, { openTunnel }] = await Promise.all(
    ['app/observe/metrics.js', 'app/observe/connections.js', 'index.js'].map(load),
  )
  const folder = mkdtempSync(join(tmpdir(), 'tunless-snapshots-'))
  const before = process.env.XDG_RUNTIME_DIR
  process.env.XDG_RUNTIME_DIR = folder
  const text = `[Interface]\nPrivateKey = ${Buffer.alloc(32, 7).toString('base64')}\nAddress = 10.7.0.1/32\n`
  const tunnel = await openTunnel({ text }, { listenHost: '127.0.0.1' })
  try {
    const state = { stats: tunnel.stats(), notReady: undefined, open: new Map() }
    return [...tunnelMetrics(state), ...new ConnectionCount().metrics, ...processMetrics()]
      .map(({ name, type, help, samples }) => {
        const events = samples.flatMap(({ labels }) => (labels?.event === undefined ? [] : [`  ${labels.event}\n`]))
        return `${name} ${type}\n  # ${help}\n${events.sort().join('')}`
      })
      .join('')
  } finally {
    await tunnel.close()
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR
    else process.env.XDG_RUNTIME_DIR = before
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What `run` says and returns, for a command that fails and for each way in which it can fail itself. */
export async function runs() {
  const own = 'npx tunless run -c runner.conf'
  const commands = [
    `${own} true`,
    `${own} sh -c 'exit 7'`,
    `${own} sh -c 'kill -TERM $$'`,
    `${own} nosuchcommand`,
    `${own} ./runner.conf`,
    `${own} --wait gateway:81 --timeout 1 true`,
    `${own} sh -c 'kill -INT $PPID; exec sleep 50'`,
    `sed s/51820/9/ runner.conf > silent.conf; chmod 600 silent.conf; npx tunless run -c silent.conf --timeout 2 true`,
    'npx tunless run true',
    `${own} --nosuchoption true`,
  ]
  const world = await openWorld()
  try {
    await world.prepare()
    let text = ''
    for (const command of commands) {
      const { printed, code } = await world.run(command)
      text += `$ ${command.replaceAll('npx tunless', 'tunless')}\n${withoutFigures(printed)}exit code ${code}\n\n`
    }
    return text
  } finally {
    await world.close()
  }
}
