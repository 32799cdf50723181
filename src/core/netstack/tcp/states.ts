// The states of RFC 9293, 3.3.2 as numbers, in an order that makes ranges of them meaningful.
import type { TcpState } from '../types.js'

export const stateClosed = 0
export const stateSynSent = 1
export const stateSynReceived = 2
// From here on the connection is synchronised, and up to FIN-WAIT-2 data may arrive or be acknowledged.
export const stateEstablished = 3
export const stateFinWait1 = 4
export const stateFinWait2 = 5
// From here on the peer's FIN was received.
export const stateCloseWait = 6
export const stateClosing = 7
export const stateLastAck = 8

export const stateNames: readonly TcpState[] = [
  'closed',
  'syn-sent',
  'syn-received',
  'established',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
]
