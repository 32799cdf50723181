// Reads a scenario: title, head and steps of a file of test/scenarios, whose README.md describes the language.

export interface Step {
  /** Of the file, from 1. */
  line: number
  text: string
  /** When it happens, ms after the step before: at the earliest and at the latest; undefined: in the same turn. */
  after: { least: number; most: number } | undefined
  verb: string
  rest: string
}

export interface Scenario {
  title: string
  /** `option` and `limit` lines: what the stack is made with. */
  options: Map<string, string>
  limits: Record<string, number>
  steps: Step[]
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export function readScenario(text: string): Scenario {
  const lines = text.split('\n')
  const scenario: Scenario = { title: (lines[0] as string).trim(), options: new Map(), limits: {}, steps: [] }
  for (const [i, full] of lines.entries()) {
    const line = full.replace(/(^|\s)#.*$/, '').trim()
    if (i === 0 || line === '') continue
    const head = /^(option|limit)\s+(\S+)\s+(\S+)$/.exec(line)
    if (head !== null) {
      const [, kind, name, value] = head as unknown as [string, string, string, string]
      if (scenario.steps.length > 0) throw new Error(`line ${i + 1}: ${kind} stands before the first step`)
      if (kind === 'option') scenario.options.set(name, value)
      else scenario.limits[name] = Number(value)
      continue
    }
    const step = /^(?:\+(\S+)\s+)?(\S+)\s*(.*)$/.exec(line) as RegExpExecArray
    const [, time, verb, rest] = step
    scenario.steps.push({
      line: i + 1,
      text: line,
      after: time === undefined ? undefined : parseTime(time, i + 1),
      verb: verb as string,
      rest: rest as string,
    })
  }
  return scenario
}

/** `200ms`, `1.5s`, `200..1000ms`, `980ms..2s`, `0`. */
function parseTime(text: string, line: number): { least: number; most: number } {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?(?:\.\.(\d+(?:\.\d+)?)(ms|s|m|h|d)?)?$/.exec(text)
  if (match === null) throw new Error(`line ${line}: not a time: ${text}`)
  const [, first, firstUnit, last = first, lastUnit = firstUnit] = match
  const least = Number(first) * (units[firstUnit ?? lastUnit ?? 'ms'] as number)
  return { least, most: Number(last) * (units[lastUnit ?? 'ms'] as number) }
}

/** A time alone, ms. */
export function milliseconds(text: string): number {
  return parseTime(text, 0).least
}
