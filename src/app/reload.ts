// SIGHUP: the configuration is read again and taken over, and one that cannot be used changes nothing.
import { TunnelError } from '../errors.js'
import type { Tunnel } from '../node/tunnel.js'
import type { CompleteConfig } from './conf.js'
import type { Log } from './log.js'
import type { ServiceManager } from './service-manager.js'

/** Returns what to call at each SIGHUP; a second one during the first waits its turn. `also` is reloaded after the configuration. */
export function createReload(
  read: () => Promise<CompleteConfig>,
  tunnel: Tunnel,
  manager: ServiceManager,
  log: Log,
  also = async () => {},
): () => void {
  let last = Promise.resolve()
  return () => {
    last = last.then(async () => {
      await manager.reloading()
      const said = await reload(read, tunnel, log)
      await also()
      await manager.ready(said)
    })
  }
}

/** Returns what became of it, as it was told. Never rejects. */
async function reload(read: () => Promise<CompleteConfig>, tunnel: Tunnel, log: Log): Promise<string> {
  try {
    if (tunnel.config.source === 'stdin') {
      throw new TunnelError('USAGE', 'it was read from stdin, which is at its end: give -c a file to reload')
    }
    const config = await read()
    for (const note of config.notes) log.info(note)
    const left = await tunnel.reload(config)
    if (left.length > 0) log.warn(`${config.source}: ${left.join(' and ')} changed: that takes a restart`)
    const said = `${config.source} is reloaded`
    log.info(said)
    return said
  } catch (error) {
    const { message } = error as Error
    const code = error instanceof TunnelError ? ` (${error.code})` : ''
    log.error(`the configuration is not reloaded: ${message}${code}`)
    return 'the last configuration could not be reloaded'
  }
}
