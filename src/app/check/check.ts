// `tunless check`: a doctor. Looks at everything between this process and the targets, in the order in which it could fail, and
// says of each failure what is likely and what to do.
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatAddress } from '../../core/base/address.js'
import { longestConfig } from '../../core/config/lines.js'
import { TunnelError } from '../../errors.js'
import { explainDial } from '../../node/target-error.js'
import { formatTarget, type Target } from '../../proxy/dialer.js'
import { type CompleteConfig, type ConfOptions, readConf } from '../conf.js'
import { describeReady } from '../describe.js'
import { joinVariable } from '../join.js'
import { createLog, type LogLevel } from '../log.js'
import type { OpenOptions } from '../open-options.js'
import { print } from '../print.js'
import { endings, type Reach, withReach } from '../reach.js'
import { readStdin } from '../stdin.js'
import { exitCodeFor, type Finding, failure, formatFinding, formatJson, formatSum } from './findings.js'
import { keysRemedy } from './keys.js'
import { labelOf, lint } from './lint.js'
import { askSystem, type Outside } from './outside.js'
import { measureMtu } from './path-mtu.js'

export interface CheckOptions extends ConfOptions, OpenOptions {
  readonly targets: readonly Target[]
  /** For the first handshake, and apart for each dial, ms; 0 waits without end. */
  readonly timeout: number
  readonly level: LogLevel
  readonly json: boolean
  /** False: the configuration alone is looked at. */
  readonly network: boolean
}

/** How long peers that have not answered yet may take once one has, ms: a repeated handshake comes after 5 s. */
const latePeers = 6000
const latePause = 100
/** For a ping to find out whether somebody answers pings, ms. */
const pingTimeout = 2000
/** Under RFC 6761 it never exists: a server that answers so has answered. */
const unknownName = 'tunless-check.invalid'
const smallest = 56
const defaultMtu = 1420

/** Returns the exit code: 0, 1 where something failed, 2 where the configuration cannot be used. */
export async function check(options: CheckOptions): Promise<0 | 1 | 2> {
  const { json, level } = options
  const isColoured = process.stdout.isTTY === true && !process.env.NO_COLOR
  const findings: Finding[] = []
  const ending = endings()
  // On a terminal: what takes its time.
  const status = json ? () => {} : (createLog(level).status ?? (() => {}))
  const add = (finding: Finding) => {
    status()
    findings.push(finding)
    if (json || (level === 'quiet' && (finding.status === 'ok' || finding.status === 'skipped'))) return
    print(formatFinding(finding, isColoured))
  }
  try {
    await new Check(options, add, status, ending).run()
  } catch (error) {
    if (!ending.signal.aborted) throw error
    add({ check: 'check', status: 'failed', detail: (ending.signal.reason as Error).message })
  } finally {
    status()
    ending.done()
  }
  if (json) print(formatJson(findings))
  else if (level !== 'quiet') print(formatSum(findings))
  return exitCodeFor(findings)
}

interface Ending {
  readonly signal: AbortSignal
  readonly cut: AbortSignal
}

class Check {
  readonly #options: CheckOptions
  readonly #add: (finding: Finding) => void
  readonly #doing: (text: string) => void
  readonly #ending: Ending
  readonly #outside: Outside
  /** Names that nothing resolves, and targets without a route: nobody dials these. */
  readonly #hopeless = new Set<string>()

  constructor(
    options: CheckOptions,
    add: (finding: Finding) => void,
    doing: (text: string) => void,
    ending: Ending,
    outside = askSystem,
  ) {
    this.#options = options
    this.#add = add
    this.#doing = doing
    this.#ending = ending
    this.#outside = outside
  }

  async run(): Promise<void> {
    const isGiven = Boolean(process.env[joinVariable]) && this.#options.file === undefined
    const config = isGiven ? undefined : await this.#readConf()
    if (!isGiven && config === undefined) return
    if (!this.#options.network) return
    if (config !== undefined && (await this.#endpoints(config))) return
    const { signal, cut } = this.#ending
    const log = createLog('quiet')
    const readConfAgain = async () => config ?? (await readConf(this.#options, { ...sources(), warn: () => {} }))
    try {
      await withReach({ ...this.#options, readConf: readConfAgain, log, signal, cut }, reach =>
        this.#through(reach, config),
      )
    } catch (error) {
      signal.throwIfAborted()
      this.#add(failure('tunnel', error))
    }
  }

  /** Undefined where it cannot be used. */
  async #readConf(): Promise<CompleteConfig | undefined> {
    try {
      const warn = (detail: string) => this.#add({ check: 'configuration', status: 'warning', detail })
      const config = await readConf(this.#options, { ...sources(), warn })
      const findings = lint(config, this.#options.targets)
      for (const finding of findings) {
        this.#add(finding)
        if (finding.check === 'target' && finding.subject !== undefined) this.#hopeless.add(finding.subject)
      }
      return exitCodeFor(findings) === 2 ? undefined : config
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      this.#add(failure('configuration', error))
      return undefined
    }
  }

  /** True where no endpoint has an address. */
  async #endpoints({ peers }: CompleteConfig): Promise<boolean> {
    const named = peers.filter(peer => peer.endpoint !== undefined)
    const family = this.#options.family
    let found = 0
    for (const peer of named) {
      const { host, port } = peer.endpoint as Target
      const subject = labelOf(peer)
      this.#doing(`resolving ${host} …`)
      try {
        const all = await this.#outside(host)
        const addresses = all.filter(one => family === undefined || isIP(one) === family)
        if (addresses.length === 0) {
          throw new TunnelError('ENDPOINT_UNRESOLVED', `${host} has no IPv${family} address (it has ${all.join(', ')})`)
        }
        found++
        const detail =
          isIP(host) === 0
            ? `${subject}: ${host} is ${addresses.join(', ')}`
            : `${subject}: ${formatTarget({ host, port })}`
        this.#add({ check: 'endpoint', subject, status: 'ok', detail })
      } catch (error) {
        const remedy = `Check the name ${host} in Endpoint, and this host's DNS.`
        const { code, message } = error as NodeJS.ErrnoException
        const known =
          error instanceof TunnelError
            ? error
            : new TunnelError('ENDPOINT_UNRESOLVED', `${host} has no address (${code ?? message})`, { cause: error })
        this.#add(failure('endpoint', known, { subject, remedy }))
      }
    }
    return named.length > 0 && found === 0
  }

  async #through(reach: Reach, config: CompleteConfig | undefined): Promise<void> {
    const { timeout } = this.#options
    const { signal } = this.#ending
    const { own } = reach
    if (reach.pid !== undefined) {
      const detail = `process ${reach.pid} runs it; what follows goes through that one`
      this.#add({ check: 'tunnel', status: 'ok', detail })
    }
    this.#doing('waiting for a handshake …')
    try {
      const ready = await reach.ready({ timeout, signal })
      this.#udp(reach)
      const detail =
        ready.peer === undefined ? 'no peer has an Endpoint: they have to call' : `${describeReady(ready, 0)}`
      const rtt = ready.peer?.rtt
      this.#add({
        check: 'handshake',
        status: ready.peer === undefined ? 'skipped' : 'ok',
        detail,
        ...(rtt !== undefined && { value: rtt }),
      })
      if (ready.peer !== undefined) await this.#otherPeers(reach)
    } catch (error) {
      signal.throwIfAborted()
      this.#udp(reach, error)
      const { code, cause } = error as { code?: string; cause?: { code?: string } }
      const isSilent = code === 'HANDSHAKE_TIMEOUT' && cause?.code !== 'ECONNREFUSED'
      const remedy = isSilent && own !== undefined ? keysRemedy(own.publicKey, own.peers()) : undefined
      this.#add(failure('handshake', error, { ...(remedy !== undefined && { remedy }) }))
      return
    }
    const addresses = await this.#names(reach)
    await this.#pathMtu(reach, addresses, config)
    if (config !== undefined) await this.#dns(reach, config)
    await this.#targets(reach)
  }

  /** What the socket itself has seen; with an error, why nobody answered. */
  #udp({ own }: Reach, error?: unknown): void {
    if (own === undefined) return
    const { udp, device, port } = own.stats()
    const cause = (error as { cause?: { code?: string; message?: string } } | undefined)?.cause
    const sent = device.initiationsSent
    if (udp.received > 0) {
      this.#add({ check: 'udp', status: 'ok', detail: `datagrams leave by port ${port}, and come back` })
    } else if (cause?.code === 'ECONNREFUSED') {
      this.#add({
        check: 'udp',
        status: 'warning',
        detail: `datagrams leave by port ${port}; the other host answers that nothing listens there`,
        remedy: 'Check the port in Endpoint, and that WireGuard runs there.',
      })
    } else if (udp.sendErrors > 0) {
      this.#add({
        check: 'udp',
        status: 'failed',
        detail: `sending failed ${udp.sendErrors} times (${cause?.code ?? cause?.message ?? 'by this host'}): a firewall of this host, or no route`,
        remedy: "Let UDP out in this host's firewall, and check its routes (`ip route get ADDRESS`).",
      })
    } else if (error !== undefined) {
      this.#add({
        check: 'udp',
        status: 'warning',
        detail: `${sent} handshake ${sent === 1 ? 'message' : 'messages'} left by port ${port}, and nothing came back: UDP is blocked on the way, or a key or the endpoint is wrong`,
        remedy: 'Try from another network; many offices and CI systems let no UDP out but DNS.',
      })
    }
  }

  /** Peers beside the first that answered. */
  async #otherPeers({ own }: Reach): Promise<void> {
    if (own === undefined) return
    const silent = () => own.peers().filter(peer => peer.endpoint !== undefined && peer.lastHandshake === undefined)
    if (silent().length > 0) this.#doing('waiting for the other peers …')
    for (let waited = 0; waited < latePeers && silent().length > 0; waited += latePause) {
      await sleep(latePause, undefined, { signal: this.#ending.signal })
    }
    for (const peer of silent()) {
      const subject = peer.name ?? `${peer.publicKey.slice(0, 8)}…`
      this.#add({
        check: 'handshake',
        subject,
        status: 'failed',
        detail: `${subject} at ${peer.endpoint} does not answer, and others do: a wrong key on either side, or it does not run`,
        remedy: 'Check PublicKey and Endpoint of this peer, and that it knows the key of this side.',
        code: 'HANDSHAKE_TIMEOUT',
      })
    }
  }

  /** Whether the targets' names mean what they should, inside and outside. Returns addresses inside. */
  async #names(reach: Reach): Promise<string[]> {
    const found: string[] = []
    for (const host of new Set(this.#options.targets.map(target => target.host))) {
      if (isIP(host) !== 0) {
        found.push(host)
        continue
      }
      const [inside, outside] = await Promise.allSettled([reach.lookup(host, this.#ending.signal), this.#outside(host)])
      this.#ending.signal.throwIfAborted()
      const known = outside.status === 'fulfilled' ? outside.value : []
      if (inside.status === 'rejected') {
        for (const target of this.#options.targets) if (target.host === host) this.#hopeless.add(formatTarget(target))
        const remedy =
          known.length === 0
            ? undefined
            : `It is ${known.join(', ')} outside of the tunnel: add \`Host = ${host} ADDRESS\` or DNS under [Interface].`
        this.#add(failure('name', inside.reason, { subject: host, ...(remedy !== undefined && { remedy }) }))
        continue
      }
      found.push(...inside.value)
      const told = `${host} is ${inside.value.join(', ')}`
      const differs = known.some(address => !inside.value.includes(address))
      if (differs) {
        this.#add({
          check: 'name',
          subject: host,
          status: 'warning',
          detail: `${told} in the tunnel and ${known.join(', ')} outside: a tool that resolves names by itself goes past the tunnel`,
          remedy: `Let the proxy resolve: socks5h:// instead of socks5://, curl's --socks5-hostname; or use the address.`,
        })
      } else this.#add({ check: 'name', subject: host, status: 'ok', detail: told })
    }
    return found
  }

  async #pathMtu(reach: Reach, targets: readonly string[], config: CompleteConfig | undefined): Promise<void> {
    const status = await reach.status()
    const told = reach.own?.mtu ?? status.mtu
    const mtu = typeof told === 'number' ? told : (config?.interface.mtu ?? defaultMtu)
    const peers = reach.own?.peers().flatMap(peer => peer.addresses) ?? []
    const known = config?.peers.flatMap(peer => peer.addresses.map(formatAddress)) ?? []
    const { signal } = this.#ending
    for (const address of new Set([...targets, ...peers, ...known])) {
      const headers = address.includes(':') ? 48 : 28
      const probe = async (size: number, timeout: number) => {
        const options = { size: size - headers, timeout, whole: true, signal }
        const answer = await reach.ping(address, options).catch(() => undefined)
        signal.throwIfAborted()
        return answer?.rtt
      }
      this.#doing(`measuring the path MTU to ${address} …`)
      const rtt = await probe(smallest + headers, pingTimeout)
      if (rtt === undefined) continue
      const passes = await measureMtu(probe, mtu, rtt)
      if (passes === mtu) {
        const detail = `packets of ${mtu} bytes, the whole MTU, pass to ${address} and back`
        this.#add({ check: 'path-mtu', status: 'ok', detail, value: mtu })
      } else {
        this.#add({
          check: 'path-mtu',
          status: 'warning',
          detail:
            passes === undefined
              ? `not even packets of 576 bytes pass to ${address} and back`
              : `packets over ${passes} bytes do not pass to ${address} and back: a link on the way is narrower than MTU ${mtu} needs`,
          remedy: `Set MTU = ${passes ?? 1280} under [Interface], here and on the other side.`,
          ...(passes !== undefined && { value: passes }),
        })
      }
      return
    }
    const detail = 'nobody behind the tunnel answers pings; TCP finds the size by itself'
    this.#add({ check: 'path-mtu', status: 'skipped', detail })
  }

  async #dns(reach: Reach, { interface: { dns } }: CompleteConfig): Promise<void> {
    const groups = [
      { name: dns.search[0] === undefined ? unknownName : `tunless-check.${dns.search[0]}`, servers: dns.servers },
      ...dns.routes.map(({ suffix, servers }) => ({ name: `tunless-check.${suffix}`, servers })),
    ]
    for (const { name, servers } of groups) {
      if (servers.length === 0) continue
      const subject = servers.map(formatAddress).join(', ')
      try {
        await reach.lookup(name, this.#ending.signal)
        this.#add({ check: 'dns', subject, status: 'ok', detail: `${subject} answers` })
      } catch (error) {
        this.#ending.signal.throwIfAborted()
        if ((error as { code?: string }).code === 'UNKNOWN_HOST') {
          this.#add({ check: 'dns', subject, status: 'ok', detail: `${subject} answers` })
        } else this.#add(failure('dns', error, { subject }))
      }
    }
  }

  async #targets(reach: Reach): Promise<void> {
    const { timeout, targets } = this.#options
    const { signal } = this.#ending
    for (const target of targets) {
      const subject = formatTarget(target)
      if (this.#hopeless.has(subject)) continue
      const began = performance.now()
      this.#doing(`dialling ${subject} …`)
      try {
        const socket = await reach.dial(target.host, target.port, { timeout, signal })
        const value = Math.round((performance.now() - began) * 10) / 10
        socket.on('error', () => {}).destroy()
        this.#add({
          check: 'target',
          subject,
          status: 'ok',
          detail: `${subject} accepts connections, ${value} ms`,
          value,
        })
      } catch (error) {
        signal.throwIfAborted()
        this.#add(failure('target', explainDial(error, target, timeout), { subject }))
      }
    }
  }
}

function sources() {
  return { env: process.env, readStdin: () => readStdin(longestConfig) }
}
