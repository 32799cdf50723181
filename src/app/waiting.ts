// A word to whoever waits in front of a silent terminal or job log: what is being called, once that takes unusually long.
import type { Tunnel } from '../node/tunnel.js'
import type { Log } from './log.js'

/** A handshake takes one round trip; its first repetition comes after 5 s. ms. */
const unusual = 3000
/** On a terminal the seconds are counted, ms. */
const tick = 1000

/** Returns what `ready` gives, and says after a while whom it waits for. */
export async function tellWhileWaiting<T>(ready: Promise<T>, tunnel: Tunnel, log: Log): Promise<T> {
  const timer = setTimeout(() => {
    const called = describeCalled(tunnel)
    log.info(`no answer yet${called === '' ? '' : ` from ${called}`}; still calling`)
  }, unusual)
  let seconds = 0
  const clock = setInterval(() => log.status?.(`calling ${describeCalled(tunnel)} … ${++seconds} s`), tick)
  try {
    return await ready
  } finally {
    clearTimeout(timer)
    clearInterval(clock)
    log.status?.()
  }
}

function describeCalled(tunnel: Tunnel): string {
  const called = tunnel.peers().flatMap(({ name, publicKey, endpoint }) => {
    return endpoint === undefined ? [] : [`${name ?? `${publicKey.slice(0, 8)}…`} at ${endpoint}`]
  })
  return called.join(', ')
}
