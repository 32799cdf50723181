// How what an engine tells becomes the tunnel's events, and messages of node:diagnostics_channel.
import type { Engine, EngineOwner } from './engine.js'
import { flowInfo } from './policy/flow-info.js'
import type { Tunnel } from './tunnel.js'
import { handshakes } from './tunnel-channels.js'

/** Apart from the turn of the device or the stack: what a listener throws must not unwind it. */
export function tunnelNews(tunnel: Tunnel, engine: Engine): EngineOwner {
  return {
    handleSession(record) {
      if (tunnel.listenerCount('handshake') === 0 && !handshakes.hasSubscribers) return
      const peer = engine.book.describe(record)
      process.nextTick(() => {
        handshakes.publish({ tunnel, peer })
        tunnel.emit('handshake', peer)
      })
    },
    handleSilence(record) {
      const peer = engine.book.describe(record)
      process.nextTick(() => tunnel.emit('silent', peer))
    },
    handleFlow(flow) {
      if (tunnel.listenerCount('flow') === 0) return
      const told = flowInfo(flow, engine.policy?.file ?? '')
      process.nextTick(() => tunnel.emit('flow', told))
    },
    handleWarning(message) {
      if (tunnel.listenerCount('warning') > 0) tunnel.emit('warning', message)
      else process.emitWarning(message, 'TunlessWarning')
    },
  }
}
