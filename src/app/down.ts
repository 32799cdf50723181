// `tunless down`: ends a tunnel that `up` keeps, in the background for instance, and waits until its process is gone.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeKey } from '../core/base/base64.js'
import { longestConfig } from '../core/config/lines.js'
import { TunnelError } from '../errors.js'
import { listTunnels, stopTunnel, type TunnelStatus } from '../node/control.js'
import { type ConfOptions, readConf } from './conf.js'
import { createLog, type LogLevel } from './log.js'
import { publicKeyOf } from './public-key.js'
import { readStdin } from './stdin.js'

/** How long a process may take from its last word to its end, and how often that is looked at, ms. */
const longestExit = 2000
const exitPause = 5

export interface DownOptions extends ConfOptions {
  /** For the process to end, ms; 0 waits without end. */
  readonly timeout: number
  readonly level: LogLevel
}

/** Rejects with NO_SUCH_TUNNEL, TUNNEL_NOT_STOPPED, USAGE where it is not clear which one, or what is wrong with the configuration. */
export async function down(options: DownOptions): Promise<void> {
  const log = createLog(options.level)
  const { file } = options
  const hasConf = file !== undefined || Boolean(process.env.TUNLESS_CONFIG)
  const publicKey = hasConf ? await keyOfConf(options, log.warn) : await keyOfTheOnlyOne()
  const stopping = await stopTunnel(publicKey, options.timeout === 0 ? {} : { timeout: options.timeout })
  if (stopping === undefined) {
    throw new TunnelError(
      'NO_SUCH_TUNNEL',
      `no tunnel of this user runs with the key of ${file ?? 'TUNLESS_CONFIG'}: \`tunless show\` lists those that do`,
    )
  }
  await within(stopping.ended, options.timeout, stopping.pid)
  await gone(stopping.pid)
  log.info(`process ${stopping.pid} has ended, and its tunnel with it`)
}

async function keyOfConf(options: ConfOptions, warn: (message: string) => void): Promise<Uint8Array> {
  const sources = { env: process.env, readStdin: () => readStdin(longestConfig), peersMayCome: true, warn }
  const config = await readConf(options, sources)
  return publicKeyOf(config.interface.privateKey)
}

async function keyOfTheOnlyOne(): Promise<Uint8Array> {
  const tunnels = await listTunnels()
  const [only, ...others] = tunnels.filter(tunnel => tunnel.stoppable)
  if (only === undefined) {
    const running = tunnels.length === 0 ? '' : `; not for others to end: ${tunnels.map(labelOf).join(', ')}`
    throw new TunnelError('NO_SUCH_TUNNEL', `no tunnel of \`tunless up\` runs as this user${running}`)
  }
  if (others.length > 0) {
    throw new TunnelError(
      'USAGE',
      `${others.length + 1} tunnels run, name one of them by -c FILE: ${[only, ...others].map(labelOf).join(', ')}`,
    )
  }
  return decodeKey(only.publicKey) as Uint8Array
}

function labelOf({ name, pid }: TunnelStatus): string {
  return name === undefined ? `process ${pid}` : `${name} (process ${pid})`
}

async function within(ended: Promise<void>, timeout: number, pid: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    if (timeout === 0) return
    const message = `process ${pid} did not end in ${Number((timeout / 1000).toFixed(1))} s: end it by \`kill -KILL ${pid}\``
    timer = setTimeout(() => reject(new TunnelError('TUNNEL_NOT_STOPPED', message)), timeout)
  })
  try {
    await Promise.race([ended, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The system closes what a process had open a moment before the process itself is gone. */
async function gone(pid: number): Promise<void> {
  for (let waited = 0; waited < longestExit && isRunning(pid); waited += exitPause) await sleep(exitPause)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    // One that nobody has waited for is over, too.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
