// What systemd is told where NOTIFY_SOCKET is set, sd_notify(3). Node has no datagram sockets of the unix kind, so systemd's own
// systemd-notify(1) carries it.
import { execFile } from 'node:child_process'
import type { Log } from './log.js'

/** What telling may take, ms: nobody waits long for a service manager that does not listen. */
const longest = 5000

export interface ServiceManager {
  /** The tunnel stands: `status` is for a person. */
  ready(status: string): Promise<void>
  reloading(): Promise<void>
  stopping(): Promise<void>
}

export function findServiceManager(env: Readonly<Record<string, string | undefined>>, log: Log): ServiceManager {
  const { NOTIFY_SOCKET, TUNLESS_CONFIG: _, TUNLESS_PRIVATE_KEY: __, ...rest } = env
  const tell = async (...assignments: string[]) => {
    if (!NOTIFY_SOCKET) return
    const problem = await notify(assignments, { ...rest, NOTIFY_SOCKET })
    if (problem !== undefined) log.warn(`systemd does not hear of it: ${problem}`)
  }
  return {
    // Of a tunnel that went to the background, systemd knows another process.
    ready: status => tell('READY=1', `MAINPID=${process.pid}`, `STATUS=${status.replace(/\s+/g, ' ')}`),
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => tell('STOPPING=1'),
  }
}

/** Resolves with why it failed. */
function notify(
  assignments: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  return new Promise(resolve => {
    execFile('systemd-notify', assignments, { env, timeout: longest, encoding: 'utf8' }, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined)
      else if (error.code === 'ENOENT') resolve('there is no systemd-notify on PATH')
      else resolve(stderr.trim() || (error.message.split('\n')[0] as string))
    })
  })
}
