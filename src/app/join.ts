// Which tunnel a command uses: the one of the `run` that started it, the one that runs with its key, or one that it opens.
import { setTimeout as sleep } from 'node:timers/promises'
import { TunnelError } from '../errors.js'
import { type JoinedTunnel, joinAt } from '../node/control.js'

/** Rounds of joining and opening against others that begin and end at the same time, and the pause between two, ms. */
const attempts = 50
const pause = 20

/** Where `run` tells its children by which socket they join its tunnel. It comes before -c and TUNLESS_CONFIG. */
export const joinVariable = 'TUNLESS_JOIN'

/** The tunnel of the `run` that this process is a child of; undefined outside of one. Rejects with TUNNEL_CLOSED if that has ended. */
export async function joinGiven(env: Readonly<Record<string, string | undefined>>): Promise<JoinedTunnel | undefined> {
  const path = env[joinVariable]
  if (!path) return undefined
  const joined = await joinAt(path)
  if (joined !== undefined) return joined
  throw new TunnelError(
    'TUNNEL_CLOSED',
    `the \`tunless run\` that ${joinVariable} names has ended, and its tunnel with it: start this below a new one, or unset ${joinVariable}`,
  )
}

/** `join` gives undefined where there is nothing to join; either may be overtaken by others, and is tried again then. */
export async function joinOrOpen<T>(join: () => Promise<T | undefined>, open: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await join()) ?? (await open())
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // Another one was faster at opening, or the one that was joined ended before it had dialled.
      if ((code !== 'TUNNEL_KEY_IN_USE' && code !== 'TUNNEL_CLOSED') || attempt === attempts) throw error
      await sleep(pause)
    }
  }
}
