// Notices that this host reaches its peers by another address than before: another network, a renewed lease. Who only receives sends
// nothing by which its peers could learn that, so silence after traffic is a reason to look.

/** How often is looked, ms, and how often after the last datagram: passive keepalives come after that. */
const interval = 2000
const looks = 6

export interface RouteWatch {
  /** A datagram came. */
  heard(): void
  stop(): void
}

/** `look` is called while nothing comes, some seconds after something came. */
export function watchRoutes(look: () => void): RouteWatch {
  let timer: NodeJS.Timeout | undefined
  let isHeard = false
  let silent = 0

  function tick(): void {
    if (isHeard) silent = 0
    else if (++silent <= looks) look()
    else stop()
    isHeard = false
  }

  function stop(): void {
    clearInterval(timer)
    timer = undefined
  }

  return {
    heard() {
      isHeard = true
      timer ??= setInterval(tick, interval).unref()
    },
    stop,
  }
}
