import { type Command, InvalidArgumentError, Option } from 'commander'
import { type TestReport, testFormats } from '../app/policy/test-formats.js'
import type { Finish } from './main.js'
import { addWhoOptions, type WhoFlags, whoOptions } from './policy-who.js'

interface TestFlags extends WhoFlags {
  readonly format?: TestReport[]
  readonly json?: true
  readonly allowUndecided?: true
}

/** `tunless policy test`: the tests of policy files, as a test runner. */
export function addPolicyTest(policy: Command, finish: Finish): void {
  addWhoOptions(
    policy
      .command('test')
      .description('run the tests of policy files')
      .argument('<file...>', 'policy files; - is stdin'),
  )
    .option('--allow-undecided', 'do not fail for tests that only a rule without evaluation here could decide')
    .addOption(
      new Option('--format <format[=file]>', 'to stdout or a file, repeatable')
        .choices(testFormats)
        .argParser(readReport),
    )
    .option('--json', 'the same as --format json')
    .addHelpText(
      'after',
      `
Formats: text; json; junit, XML for test reports (GitLab: artifacts:reports:junit); github, text and workflow commands; gitlab,
a Code Quality report (artifacts:reports:codequality). With another than text or github on stdout, the text goes to stderr.
Exit codes: 0 all passed, 1 one failed or is undecided, 2 a file cannot be used

Examples:
  tunless policy test policy.hujson
  tunless policy test --netmap netmap.json --format junit=tests.xml --format gitlab=quality.json policy.hujson`,
    )
    .action(async (files: string[], flags: TestFlags) => {
      const { testPolicy } = await import('../app/policy/test.js')
      const reports = [...(flags.format ?? []), ...(flags.json ? [{ format: 'json' as const }] : [])]
      finish(
        await testPolicy({
          ...whoOptions(flags),
          files,
          reports,
          allowUndecided: flags.allowUndecided === true,
        }),
      )
    })
}

function readReport(text: string, previous: readonly TestReport[] = []): TestReport[] {
  const [, name, file] = /^([a-z]+)(?:=(.+))?$/s.exec(text) ?? []
  const format = testFormats.find(each => each === name)
  if (format === undefined) {
    throw new InvalidArgumentError(`write one of ${testFormats.join(', ')}, or FORMAT=FILE`)
  }
  return [...previous, { format, ...(file !== undefined && { file }) }]
}
