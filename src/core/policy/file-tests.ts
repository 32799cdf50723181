// The `tests` section as it is read. An unusable test fails when it runs and is no error of the file, but for names that
// nothing defines.
import { asArray, asObject, asString, asStrings, type Placed, type Reading, readFields } from './fields.js'
import { type HuJson, quoted } from './hujson.js'
import { type Names, refuseUndefined } from './names.js'
import { hasPorts, lastPort, parseProtocol, protocolChoice, protocolName } from './ports.js'
import { splitPorts } from './rules.js'
import { parseSelector } from './selectors.js'
import type { PolicyTest, SelectorValue, TestDestination, TestSelector } from './types.js'

/** Spellings of older files. */
const testAliases = { user: 'src', allow: 'accept' }
const testFields = ['src', 'proto', 'accept', 'deny', 'srcPostureAttrs']

export function readTests(section: HuJson, names: Names, reading: Reading): PolicyTest[] {
  return (asArray(section, 'tests', reading) ?? []).flatMap(item => {
    const object = asObject(item, 'an entry of tests', reading)
    if (object === undefined) return []
    const fields = readFields(object, 'an entry of tests', testFields, reading, testAliases)
    const problems: string[] = []
    const src = fields.get('src')
    const text = src === undefined ? undefined : asString(src.value, 'src', reading)
    if (src === undefined) problems.push('it has no src: say whose access is tested')
    const source = testSelector(text ?? { text: '', place: object.place }, names, reading)
    if (src !== undefined && source.problem !== undefined) problems.push(source.problem)
    const proto = fields.get('proto')?.value
    const protocol = proto === undefined ? undefined : protocolOf(asString(proto, 'proto', reading), problems)
    const destinations = (name: string) => {
      const field = fields.get(name)
      const list = field === undefined ? [] : (asStrings(field.value, name, reading) ?? [])
      return list.map(each => testDestination(each, protocol, names, reading))
    }
    const [accept, deny] = [destinations('accept'), destinations('deny')]
    if (accept.length + deny.length === 0)
      problems.push('it has neither accept nor deny: say what must and must not be reached')
    return [{ place: object.place, source, protocol, accept, deny, problems }]
  })
}

function protocolOf(proto: Placed | undefined, problems: string[]): number | undefined {
  if (proto === undefined || proto.text === '') return undefined
  const protocol = parseProtocol(proto.text)
  if (protocol === undefined) problems.push(`${quoted(proto.text)} is no protocol: write ${protocolChoice}`)
  return protocol
}

/** One user, group, tag, host or address; `reading` takes names that nothing defines. */
export function testSelector({ text, place }: Placed, names: Names, reading: Reading): TestSelector {
  const value = parseSelector(text, names, reading)
  if ('refused' in value) {
    if (value.known !== undefined && text !== '') refuseUndefined(text, place, value.refused, value.known, reading)
    const problem = value.known === undefined ? `${quoted(text)} ${value.refused}` : `${quoted(text)} is not defined`
    return { text, place, value: undefined, problem: text === '' ? 'a selector is empty' : problem }
  }
  const problem = notOne(value, text)
  return problem === undefined ? { text, place, value } : { text, place, value: undefined, problem }
}

/** Why it is not one specific user, group, tag, host or address. */
function notOne(value: SelectorValue, text: string): string | undefined {
  switch (value.kind) {
    case 'user':
    case 'group':
    case 'tag':
    case 'service':
      return undefined
    case 'ranges': {
      const [range, more] = value.ranges
      const single = range !== undefined && more === undefined && range.first === range.last
      if (single && !text.startsWith('ipset:') && !text.includes('/')) return undefined
      return `${quoted(text)} is more than one address: a test names one`
    }
    default:
      return `${quoted(text)} is nobody in particular: a test names one user, group, tag, host or address`
  }
}

function testDestination(each: Placed, protocol: number | undefined, names: Names, reading: Reading): TestDestination {
  const split = splitPorts(each.text)
  const broken = (problem: string) => ({
    ...each,
    value: undefined,
    problem: `${quoted(each.text)} ${problem}`,
    port: 0,
  })
  if (typeof split === 'string') return broken(split)
  const selector = testSelector({ text: split.host, place: each.place }, names, reading)
  const problem = portProblem(split.ports, protocol)
  if (problem !== undefined) return broken(problem)
  return { ...selector, text: each.text, port: Number(split.ports) }
}

/** Why the port of a test's destination cannot be used. */
export function portProblem(ports: string, protocol: number | undefined): string | undefined {
  if (!/^\d{1,5}$/.test(ports) || Number(ports) > lastPort)
    return `has no single port: write one number, not "${ports}"`
  const withPorts = protocol === undefined || hasPorts(protocol)
  if (withPorts && Number(ports) === 0)
    return protocol === undefined ? 'has port 0: that is for "proto": "icmp"' : 'has port 0: ports start at 1'
  if (!withPorts && Number(ports) !== 0) return `has a port, and ${protocolName(protocol)} has none: write 0`
  return undefined
}
