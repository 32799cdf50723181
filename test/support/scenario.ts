// Plays a scenario of test/scenarios: the stack against a scripted peer, in virtual time. Everything that the stack sends
// must be expected, at its time; at the end it must leave nothing behind.
import { expect } from 'vitest'
import type { CongestionControlName } from '../../src/core/netstack/congestion-control.js'
import type { TcpConnection } from '../../src/core/netstack/stack.js'
import { ScenarioOwner } from './scenario-owner.js'
import { milliseconds, readScenario, type Scenario, type Step } from './scenario-text.js'
import { type ScriptOptions, type Sent, streamByteAt, TcpScript } from './tcp-script.js'
import { parseLines } from './tcp-script-line.js'

/** How far from its time a segment may leave, ms: a timer's tick. */
const tolerance = 1

export function playScenario(text: string): void {
  const scenario = readScenario(text)
  const player = new Player(scenario)
  for (const step of scenario.steps) {
    try {
      player.play(step)
    } catch (error) {
      const failure = error as Error
      failure.message = `line ${step.line}, ${step.text}: ${failure.message}`
      throw failure
    }
  }
  player.end()
}

class Player {
  readonly #s: TcpScript
  /** By the peer's port. */
  readonly #owners = new Map<number, ScenarioOwner>()
  readonly #verbs: Record<string, (rest: string, step: Step) => void>
  /** When the last step was. */
  #at: number
  #family: 4 | 6

  constructor(scenario: Scenario) {
    this.#s = new TcpScript(stackOptions(scenario))
    this.#family = scenario.options.get('family') === '6' ? 6 : 4
    this.#at = this.#s.now
    const s = this.#s
    this.#verbs = {
      listen: rest => this.#listen(rest),
      connect: rest => this.#connect(rest),
      accepted: rest => this.#accepted(rest),
      dialled: rest => this.#dialled(rest),
      write: rest => this.#owner().write(Number(rest)),
      end: () => this.#connection().end(s.now),
      destroy: () => this.#connection().destroy(s.now),
      reset: () => this.#connection().reset(s.now),
      pause: () => this.#owner().pause(),
      resume: () => this.#owner().resume(),
      read: () => this.#owner().readOnce(),
      keepalive: rest =>
        this.#connection().setKeepAlive(rest !== 'off', rest === 'off' ? 0 : milliseconds(rest), s.now),
      nagle: rest => this.#connection().setNoDelay(rest === 'off'),
      path: rest => this.#path(rest),
      from: rest => {
        s.peerPort = Number(rest)
      },
      send: rest => this.#send(rest),
      expect: (rest, step) => (rest === 'nothing' ? this.#expectNothing() : this.#expect(rest, step)),
      ignore: () => s.skip(),
      check: rest => this.#check(rest),
    }
  }

  play(step: Step): void {
    const { verb, rest, after } = step
    const act = this.#verbs[verb]
    if (act === undefined) throw new Error('no such verb')
    // A segment has a time of its own; for all else time passes first, in which nothing may leave but what is ignored.
    if (after !== undefined && (verb !== 'expect' || rest === 'nothing')) {
      if (verb !== 'ignore') this.#expectNothing()
      this.#s.wait(after.least)
      if (verb !== 'ignore') this.#expectNothing()
      this.#at = this.#s.now
    }
    act(rest, step)
  }

  /** Nothing more is sent; and when the stack closes, no slot is in use and no timer runs. */
  end(): void {
    const { stack, memory } = this.#s
    this.#expectNothing()
    for (const owner of this.#owners.values()) owner.verify()
    stack.close(this.#s.now)
    expect(memory.inUse, 'slots left when the stack was closed').toBe(0)
    expect(stack.nextDeadline(), 'timers left when the stack was closed').toBe(Infinity)
  }

  #expectNothing(): void {
    const lines = this.#s.flush().waiting.map(sent => this.#s.format(sent))
    if (lines.length > 0) throw new Error(`not expected: ${lines.slice(0, 5).join('; ')}`)
  }

  #expect(text: string, step: Step): void {
    const s = this.#s
    const [, segment, port] = /^(.*?)(?: to (\d+))?$/.exec(text) as unknown as [string, string, string | undefined]
    const { least, most } = step.after ?? { least: 0, most: 0 }
    s.flush()
    for (const line of parseLines(segment)) {
      if (s.waiting.length === 0) s.runUntilSent(this.#at + most + tolerance)
      const [sent] = s.waiting
      if (sent === undefined) throw new Error(`nothing is sent until ${(s.now - this.#at).toFixed(1)} ms`)
      const late = sent.at - this.#at
      if (late > most + tolerance || late < least - tolerance)
        throw new Error(`${s.format(sent)} was sent after ${late.toFixed(1)} ms`)
      const times = `${line.start}:${line.start + line.length}(${line.length})`
      s.expect(segment.replace(/-?\d+:-?\d+\([^)]*\)/, times))
      if (port !== undefined) expect(sent.header.destinationPort).toBe(Number(port))
      checkPayload(sent, line.start)
    }
    this.#at = s.now
  }

  #send(text: string): void {
    const s = this.#s
    const tooBig = /^too-big (\d+) for (-?\d+)$/.exec(text)
    const fragments = /^(.*) as fragments ([\d: ]+)$/.exec(text)
    const timed = (line: string) =>
      line.replace(
        /ecr now(?:-(\d+))?/,
        (_, ago) => `ecr ${(Math.floor(s.now) + s.timestampOffset - Number(ago ?? 0)) | 0}`,
      )
    if (tooBig !== null) s.sendTooBig(Number(tooBig[2]), Number(tooBig[1]))
    else if (fragments !== null) {
      const ranges = (fragments[2] as string).split(' ').map(range => range.split(':').map(Number) as [number, number])
      s.sendFragments(timed(fragments[1] as string), ranges)
    } else s.sendOnly(timed(text))
    this.#at = s.now
  }

  #listen(rest: string): void {
    const s = this.#s
    const [, backlog] = /^(?:backlog (\d+))?$/.exec(rest) as unknown as [string, string | undefined]
    s.stack.listen({ port: s.ourPort, ...(backlog !== undefined && { backlog: Number(backlog) }) }, connection => {
      const owner = new ScenarioOwner(() => s.now)
      owner.connection = connection
      this.#owners.set(connection.remotePort, owner)
      return owner
    })
  }

  #connect(rest: string): void {
    const s = this.#s
    const timeout = /^timeout (\S+)$/.exec(rest)?.[1]
    const owner = new ScenarioOwner(() => s.now)
    const options = { address: s.peer, port: s.peerPort }
    const limited = timeout === undefined ? options : { ...options, timeout: milliseconds(timeout) }
    owner.connection = s.stack.connect(limited, owner, s.now)
    s.ourPort = owner.connection.localPort
    this.#owners.set(s.peerPort, owner)
  }

  #accepted(rest: string): void {
    const { options, stamp, win, rtt } = this.#handshake(rest)
    this.#steps('listen', `send S 0:0(0) win 65535 <${options}>`, 'expect S. 0:0(0) ack 1')
    this.#steps(`+${rtt}ms send . 1:1(0) ack 1 win ${win}${stamp}`, '+0 expect nothing')
  }

  #dialled(rest: string): void {
    const { options, stamp, win, rtt } = this.#handshake(rest)
    const answer = options.replace('ecr 0', 'ecr now')
    this.#steps('connect', 'expect S 0:0(0)', `+${rtt}ms send S. 0:0(0) ack 1 win 65535 <${answer}>`)
    this.#steps('expect . 1:1(0) ack 1', `send . 1:1(0) ack 1 win ${win}${stamp}`, '+0 expect nothing')
  }

  #handshake(rest: string): { options: string; stamp: string; win: number; rtt: number } {
    const match = /^(?:<(.*)>)?(?:\s*win (\d+))?(?:\s*rtt (\S+))?$/.exec(rest)
    if (match === null) throw new Error('not a handshake')
    const mss = this.#family === 4 ? 1460 : 1440
    const options = match[1] ?? `mss ${mss},sackOK,wscale 7`
    const value = /TS val (\d+)/.exec(options)?.[1]
    return {
      options,
      stamp: value === undefined ? '' : ` <TS val ${value} ecr now>`,
      win: Number(match[2] ?? 512),
      rtt: match[3] === undefined ? 0 : milliseconds(match[3]),
    }
  }

  #steps(...lines: string[]): void {
    for (const step of readScenario(['', ...lines].join('\n')).steps) this.play(step)
  }

  #path(rest: string): void {
    const s = this.#s
    if (rest === 'down') s.pathUp = false
    else if (rest === 'up') {
      s.pathUp = true
      s.stack.handlePathUp(1, s.now)
    } else if (rest === 'heard') s.stack.handlePathHeard(1, s.now)
    else if (rest === 'failed') s.stack.handlePathDown(1, s.now)
    else throw new Error('a path is up, down, heard or failed')
  }

  #check(rest: string): void {
    this.#s.flush()
    const [what, ...values] = rest.split(' ') as [string, ...string[]]
    const [value, number] = values
    const { stack, memory } = this.#s
    const stats: Record<string, number> = { ...stack.stats() }
    if (what === 'counter') expect(stack.counters[value as 'tcpPaws'], value).toBe(Number(number))
    else if (what === 'slots') expect(memory.inUse).toBe(Number(value))
    else if (what === 'idle') expect(stack.nextDeadline()).toBe(Infinity)
    else if (stats[what] !== undefined) expect(stats[what], what).toBe(Number(value))
    else this.#owner().check(what, value)
  }

  #owner(): ScenarioOwner {
    // An accepted connection is its owner's when the turn ends.
    if (!this.#owners.has(this.#s.peerPort)) this.#s.flush()
    const owner = this.#owners.get(this.#s.peerPort)
    if (owner === undefined) throw new Error('nobody owns a connection with this port of the peer')
    return owner
  }

  #connection(): TcpConnection {
    return this.#owner().connection as TcpConnection
  }
}

function stackOptions(scenario: Scenario): ScriptOptions {
  const { options, limits } = scenario
  const isn = options.get('isn')
  const mtu = options.get('mtu')
  const congestion = options.get('congestion') as CongestionControlName | undefined
  return {
    family: options.get('family') === '6' ? 6 : 4,
    limits,
    ...(mtu !== undefined && { mtu: Number(mtu) }),
    ...(congestion !== undefined && { congestion }),
    // The clock of initial sequence numbers stands at 25,000,000 ticks when a script begins.
    ...(isn !== undefined && { keyedHash: () => (Number(isn) - 25_000_000) >>> 0 }),
  }
}

/** What leaves is the stream that the owner wrote. */
function checkPayload(sent: Sent, start: number): void {
  for (const [i, byte] of sent.payload.entries())
    if (byte !== streamByteAt(start + i)) throw new Error(`byte ${start + i} of ours is another one`)
}
