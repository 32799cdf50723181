// A path came back: flows that had backed off on it need not wait for a timer that was set while nobody could answer.
import type { TcpLayer } from './layer.js'
import { restartRepair } from './recovery.js'
import { stateEstablished } from './states.js'
import { startRetransmitTimer } from './transmit.js'

export function resumeFlows(layer: TcpLayer, path: number, now: number): void {
  for (const c of layer.flows.all()) {
    if (c.path !== path || c.rto.backoff === 0) continue
    c.rto.backoff = 0
    if (c.stateCode < stateEstablished) {
      c.synDue = true
      c.synResent = true
    } else if (c.persisting) c.probeDue = true
    else if (c.outstanding > 0) {
      restartRepair(c, now)
      startRetransmitTimer(c, now)
    }
    layer.wantSend(c)
    layer.schedule(c)
  }
}
