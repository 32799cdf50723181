// A tunnel at work, two processes over UDP on loopback and the load in this one; beside the floor, by turns, so that the share of
// it that we reach holds on a busy machine too.
import { setTimeout as sleep } from 'node:timers/promises'
import { selectCrypto } from '../../node/crypto/select.js'
import { type Contender, type Floor, startFloor, startTunless } from './contenders.js'
import { checkContender, measureFlows, measureIdle, measureRequests, type Rate, rateOf } from './load.js'
import type { Effort, Recorder, Suite } from './report.js'
import { checkTasks, wrongResult } from './tasks.js'
import { checkAead, checkTransport } from './vectors.js'

interface Plan {
  readonly rounds: number
  /** s. */
  readonly seconds: number
  readonly warmUp: number
  readonly requests: number
  readonly idle: number
}

const plans: Record<Effort, Plan> = {
  quick: { rounds: 1, seconds: 0.5, warmUp: 0.3, requests: 100, idle: 200 },
  short: { rounds: 3, seconds: 1, warmUp: 0.5, requests: 1000, idle: 1000 },
  full: { rounds: 5, seconds: 2, warmUp: 0.5, requests: 2000, idle: 2000 },
}

const directions = ['up', 'down'] as const
const manyFlows = 16
const manyRequests = 50

/** Someone else's client, where it is there. */
export interface OtherClient {
  readonly name: string
  /** Undefined, or why it cannot take part. */
  missing(): string | undefined
  start(): Promise<Contender>
}

/** The floor alone; where the macro benchmark runs too, it measures the floor by turns with the tunnel. */
export const floorSuite: Suite = {
  name: 'floor',
  async run(recorder) {
    if (!recorder.wants('macro')) await withContenders([], recorder, measureSingleFlows)
  },
}

/** `others` go through the same. */
export function createMacroSuite(others: readonly OtherClient[] = []): Suite {
  return {
    name: 'macro',
    run: recorder =>
      withContenders([ours, ...others], recorder, async (floor, contenders) => {
        await measureSingleFlows(floor, contenders, recorder)
        for (const contender of contenders) await measureMore(contender, recorder)
        for (const each of [ours, ...others]) await measureIdleOf(each, recorder)
      }),
  }
}

const ours: OtherClient = { name: 'tunless', missing: () => undefined, start: startTunless }

async function withContenders(
  clients: readonly OtherClient[],
  recorder: Recorder,
  use: (floor: Floor, contenders: readonly Contender[], recorder: Recorder) => Promise<void>,
): Promise<void> {
  const crypto = selectCrypto()
  const check = (expect: Parameters<typeof checkAead>[1]) => {
    checkAead(crypto, expect)
    checkTransport(crypto, expect)
  }
  recorder.checked(checkTasks([{ id: `macro, by ${crypto.name}`, check }]))
  const started: Contender[] = []
  try {
    const floor = await startFloor()
    started.push(floor)
    await checkOne(floor, 'floor', recorder)
    for (const client of clients) {
      const contender = await attempt(client, recorder, async () => {
        const begun = await client.start()
        started.push(begun)
        await checkOne(begun, 'macro', recorder)
        return begun
      })
      if (contender === undefined && client === ours) throw new Error('the tunnel does not come up')
    }
    await use(floor, started.slice(1), recorder)
  } finally {
    await Promise.all(started.map(contender => contender.stop()))
  }
}

async function checkOne(contender: Contender, suite: string, recorder: Recorder): Promise<void> {
  recorder.say(`${suite}: ${contender.name} is checked`)
  try {
    recorder.checked(await checkContender(contender))
  } catch (error) {
    throw wrongResult(`${suite}/${contender.name}`, error)
  }
}

/** What fails of someone else's is skipped, and said. */
async function attempt<T>(client: OtherClient, recorder: Recorder, action: () => Promise<T>): Promise<T | undefined> {
  const missing = client.missing()
  if (missing !== undefined) {
    recorder.skip(`macro/${client.name}`, missing)
    return undefined
  }
  try {
    return await action()
  } catch (error) {
    if (client === ours) throw error
    recorder.skip(`macro/${client.name}`, (error as Error).message)
    return undefined
  }
}

/** One flow up and one down, of all by turns, round by round; and bare datagrams both ways. */
async function measureSingleFlows(floor: Floor, contenders: readonly Contender[], recorder: Recorder): Promise<void> {
  const plan = plans[recorder.effort]
  const pumps = directions.filter(direction => recorder.wants(`floor/udp-${direction}`))
  const flows = directions.filter(
    direction => recorder.wants(`floor/${direction}`) || contenders.some(() => recorder.wants(`macro/${direction}`)),
  )
  for (const direction of pumps) {
    const rates: Rate[] = []
    for (let round = 0; round < plan.rounds; round++) rates.push(await measurePump(floor, direction, plan))
    record(recorder, `floor/udp-${direction}`, 'pump', rates)
  }
  for (const direction of flows) {
    const rates = new Map([floor, ...contenders].map(contender => [contender, [] as Rate[]]))
    for (let round = 0; round < plan.rounds; round++) {
      for (const [contender, list] of rates) {
        recorder.say(`${direction}: ${contender.name}`)
        list.push(await measureFlows(contender, direction, 1, plan))
      }
    }
    const least = rates.get(floor) as Rate[]
    record(recorder, `floor/${direction}`, 'floor', least)
    for (const contender of contenders) {
      const own = rates.get(contender) as Rate[]
      record(recorder, `macro/${direction}`, contender.name, own)
      const share = own.map(({ megabits }, i) => (100 * megabits) / (least[i] as Rate).megabits)
      const cpuShare = own.map(({ cpu }, i) => (100 * (least[i] as Rate).cpu) / cpu)
      recorder.add(`macro/${direction}-floor/${contender.name}`, share, '%', 'higher')
      if (!Number.isNaN(cpuShare[0]))
        recorder.add(`macro/${direction}-floor-cpu/${contender.name}`, cpuShare, '%', 'higher')
    }
  }
}

function record(recorder: Recorder, what: string, who: string, rates: readonly Rate[]): void {
  recorder.add(
    `${what}/${who}`,
    rates.map(({ megabits }) => megabits),
    'Mbit/s',
    'higher',
  )
  const cpu = rates.map(rate => rate.cpu)
  if (!cpu.some(Number.isNaN)) recorder.add(`${what}-cpu/${who}`, cpu, 's/GB', 'lower')
}

/** `bytes` of the process at the receiving end. */
async function measurePump(floor: Floor, direction: 'up' | 'down', { warmUp, seconds }: Plan): Promise<Rate> {
  const look = async () => {
    const near = await floor.usage()
    return { near, end: direction === 'up' ? await floor.farUsage() : near }
  }
  await floor.pump(direction)
  await sleep(warmUp * 1000)
  const from = await look()
  await sleep(seconds * 1000)
  const to = await look()
  await floor.stopPump()
  await sleep(50)
  return rateOf(from.end, to.end, { from: from.near, to: to.near })
}

async function measureMore(contender: Contender, recorder: Recorder): Promise<void> {
  const { name } = contender
  const plan = plans[recorder.effort]
  for (const direction of directions) {
    if (!recorder.wants(`macro/${direction}-${manyFlows}`)) continue
    const rates: Rate[] = []
    for (let round = 0; round < plan.rounds; round++) {
      recorder.say(`${manyFlows} flows ${direction}: ${name}`)
      rates.push(await measureFlows(contender, direction, manyFlows, plan))
    }
    record(recorder, `macro/${direction}-${manyFlows}`, name, rates)
  }
  for (const concurrent of [1, manyRequests]) {
    const id = `macro/requests-${concurrent}`
    if (!recorder.wants(id)) continue
    recorder.say(`${concurrent} requests at once: ${name}`)
    const { perSecond, p99 } = await measureRequests(contender, plan.requests, concurrent)
    recorder.add(`${id}/${name}`, [perSecond], '1/s', 'higher')
    recorder.add(`${id}-p99/${name}`, [p99], 'ms', 'lower')
  }
  const { rss } = await contender.usage()
  if (!Number.isNaN(rss)) recorder.add(`macro/rss/${name}`, [rss / 2 ** 20], 'MiB', 'lower')
}

/** In a process that has not carried anything yet: what that left to the garbage collector would hide the growth. */
async function measureIdleOf(client: OtherClient, recorder: Recorder): Promise<void> {
  if (!recorder.wants(`macro/idle/${client.name}`) || client.missing() !== undefined) return
  recorder.say(`idle connections: ${client.name}`)
  await attempt(client, recorder, async () => {
    const contender = await client.start()
    try {
      const bytes = await measureIdle(contender, plans[recorder.effort].idle)
      if (!Number.isNaN(bytes)) recorder.add(`macro/idle/${client.name}`, [bytes / 1024], 'KiB', 'lower')
    } finally {
      await contender.stop()
    }
  })
}
