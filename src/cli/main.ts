// The command `tunless`: reads the command line, runs one sub-command, and turns what it returns or throws into an exit code.
import { Command, CommanderError } from 'commander'
import { createLog, setLogFormat } from '../app/log.js'
import { print } from '../app/print.js'
import { readVersion } from '../app/version.js'
import { TunnelError } from '../errors.js'
import { addBench } from './bench.js'
import { addCheck } from './check.js'
import { addCompletions } from './completions.js'
import { addDemo } from './demo.js'
import { addDown } from './down.js'
import { exitCodeOf, exitCodes, isTunnelError, runExitCodeOf } from './exit-codes.js'
import { addGenkey } from './genkey.js'
import { addGenpsk } from './genpsk.js'
import { addInit } from './init.js'
import { addNc } from './nc.js'
import { addPeers } from './peers.js'
import { addPing } from './ping.js'
import { addPolicy } from './policy.js'
import { addPubkey } from './pubkey.js'
import { addRun } from './run.js'
import { addServe } from './serve.js'
import { addShow } from './show.js'
import { addUp } from './up.js'

/** How long open handles may hold the process after the command has returned, ms. */
const lingerTimeout = 1000

/** What a sub-command hands its exit code to. */
export type Finish = (code: number) => void

const footer = `
Environment:
  TUNLESS_CONFIG       the configuration where -c is not given: a path, the text, or the text in base64
  TUNLESS_PRIVATE_KEY  the private key of a configuration without one

Exit codes:
  0  done (up: also after SIGINT, SIGTERM)
  1  failed at run time
  2  usage or configuration
  run: that of its command, and 125, 126, 127 and 128+N as \`tunless run --help\` says`

/** Runs the command line `argv` (with Node and the script in front) and sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  process.stderr.on('error', () => {})
  process.exitCode = await run(argv)
  setTimeout(() => process.exit(), lingerTimeout).unref()
}

const usageError = new TunnelError('USAGE', 'the command line cannot be used')

async function run(argv: readonly string[]): Promise<number> {
  let code: number = exitCodes.done
  const codeOf = argv[2] === 'run' ? runExitCodeOf : exitCodeOf
  try {
    const program = createProgram(finished => {
      code = finished
    })
    // An error of the command line comes before its options are read.
    if (/ --log[ =]json /.test(` ${argv.slice(2).join(' ')} `)) {
      setLogFormat('json')
      for (const command of withSubcommands(program)) command.showHelpAfterError(false)
    }
    await program.parseAsync(argv)
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : codeOf(usageError)
    const log = createLog('normal')
    if (isTunnelError(error)) log.error(`${error.message} (${error.code})`)
    else log.error(`unexpected error: ${error instanceof Error ? error.stack : error}`)
    return codeOf(error)
  }
}

/** The whole command line as data; nothing is loaded for a command before it runs. */
export function createProgram(finish: Finish): Command {
  const program = new Command('tunless')
    .description(
      'WireGuard tunnels without root: a proxy, port forwards and connections through a wg-quick configuration.',
    )
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: print,
      outputError: (text, write) => createLog('normal', write).error(`${plainly(text)} (USAGE)`),
    })
    .hook('preAction', (_program, command) => setLogFormat(command.opts().log ?? 'text'))
    .addHelpText('after', footer)
  for (const add of [
    addRun,
    addUp,
    addDown,
    addServe,
    addNc,
    addPing,
    addCheck,
    addShow,
    addPolicy,
    addPeers,
    addInit,
    addGenkey,
    addPubkey,
    addGenpsk,
    addCompletions,
    addDemo,
    addBench,
  ])
    add(program, finish)
  for (const command of withSubcommands(program)) command.showHelpAfterError(`tunless: see ${fullName(command)} --help`)
  return program
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

/** Commander's own words for an error, without its jargon. */
function plainly(text: string): string {
  return text
    .trimEnd()
    .replace(/^error: /, '')
    .replace(/^command-argument value '.*' is invalid for argument '\w+'\. /s, '')
    .replace(/(too many arguments for 'nc')\..*$/, '$1: HOST and PORT come last, after all options')
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`
}
