// `tunless policy test`: runs the tests of policy files, and reports as CI services read it.
import { writeFile } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { runPolicyTests } from '../../core/policy/tests.js'
import { TunnelError } from '../../errors.js'
import { print } from '../print.js'
import { Files, messagesUnder, type Who, type WhoOptions } from './files.js'
import { hasError, type Message, tell } from './messages.js'
import { formatCodeQuality, formatGitHub } from './test-annotations.js'
import type { TestFormat, TestReport } from './test-formats.js'
import { formatJUnit } from './test-junit.js'
import { countsOf, exitCodeOf, messagesIn, type TestedFile, type TestRun } from './test-run.js'
import { formatTests } from './test-text.js'

export interface PolicyTestOptions extends WhoOptions {
  readonly files: readonly string[]
  readonly reports: readonly TestReport[]
  readonly allowUndecided: boolean
}

/** Returns the exit code: 0; 1 where a test failed or is undecided; 2 where a file cannot be used. */
export async function testPolicy({ reports, ...options }: PolicyTestOptions): Promise<0 | 1 | 2> {
  const onStdout = reports.filter(({ file }) => file === undefined)
  if (onStdout.length > 1) {
    throw new TunnelError('USAGE', '--format: one goes to stdout: write FORMAT=FILE for the others')
  }
  const run = await runTests(options)
  const [{ format } = { format: 'text' as const }] = onStdout
  tell(messagesIn(run))
  for (const { file, tests } of run.files)
    if (tests.length === 0 && exitCodeOf(run) !== 2) process.stderr.write(`${file}: warning: it has no tests\n`)
  for (const report of reports)
    if (report.file !== undefined) await writeReport(report.file, render(report.format, run))
  const isColoured = process.stdout.isTTY === true && !process.env.NO_COLOR
  if (format === 'text') print(formatTests(run, isColoured))
  else if (format === 'github') print(`${formatTests(run, false)}${render('github', run)}`)
  else {
    process.stderr.write(formatTests(run, false))
    print(render(format, run))
  }
  return exitCodeOf(run)
}

async function runTests({
  files: paths,
  allowUndecided,
  ...options
}: Omit<PolicyTestOptions, 'reports'>): Promise<TestRun> {
  const inputs = new Files()
  const who = await inputs.who(options)
  const netmap: Message[] = [...(who?.messages ?? [])]
  const files: TestedFile[] = []
  for (const path of paths) {
    const policy = await inputs.policy(path)
    const { file, document } = policy
    const messages = messagesUnder(policy, who)
    const canRun = !hasError(messages) && !hasError(netmap) && !hasError(addProblems(netmap, who, document))
    files.push({ file, messages, tests: canRun ? runPolicyTests(document, who?.netmap) : [] })
  }
  return { files, netmap, allowUndecided }
}

function addProblems(netmap: Message[], who: Who | undefined, document: Parameters<Who['check']>[0]): Message[] {
  const problems = who?.check(document) ?? []
  netmap.push(...problems)
  return problems
}

function render(format: TestFormat, run: TestRun): string {
  switch (format) {
    case 'text':
      return formatTests(run, false)
    case 'json':
      return formatJson(run)
    case 'junit':
      return formatJUnit(run, repositoryPath)
    case 'github':
      return formatGitHub(run, repositoryPath)
    case 'gitlab':
      return formatCodeQuality(run, repositoryPath)
  }
}

function formatJson(run: TestRun): string {
  const exitCode = exitCodeOf(run)
  const files = run.files.map(({ file, messages, tests }) => ({ file, diagnostics: messages, tests }))
  const { passed, failed, undecided, 'not-run': notRun } = countsOf(run)
  const counts = { passed, failed, undecided, notRun }
  return `${JSON.stringify({ ok: exitCode === 0, exitCode, counts, files, netmap: run.netmap }, null, 2)}\n`
}

/** From the root of the checkout, which is where CI services begin to look. */
function repositoryPath(file: string): string {
  const root = process.env.GITHUB_WORKSPACE ?? process.env.CI_PROJECT_DIR ?? process.cwd()
  const path = relative(root, resolve(file))
  const isInside = path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path)
  return (isInside ? path : file).replaceAll(sep, '/')
}

async function writeReport(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new TunnelError('REPORT_FAILED', `cannot write ${file} (${code ?? message}): check its directory`, { cause })
  }
}
