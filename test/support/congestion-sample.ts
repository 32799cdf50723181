// What an acknowledgement told, with everything at rest, to be filled by tests.
import type { AckSample } from '../../src/core/netstack/congestion.js'

export function createSample(): AckSample {
  return {
    now: 0,
    delivered: 0,
    acknowledged: 0,
    rtt: 0,
    smoothedRtt: 0,
    priorInFlight: 0,
    inFlight: 0,
    lost: 0,
    windowLimited: true,
    recovering: false,
    late: false,
    totalDelivered: 0,
    totalLost: 0,
    rateDelivered: 0,
    rateInterval: 0,
    priorDelivered: 0,
    priorLost: 0,
    sentInFlight: 0,
    appLimited: false,
  }
}
