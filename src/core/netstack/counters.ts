// Why packets were dropped and what happened, counted by name. A plain object of numbers: whoever reads it copies it.
import type { IpDrop } from '../wire/ip.js'

export type StackCounters = Record<CounterName, number>

export type CounterName =
  | IpDrop
  | 'packetsIn'
  | 'packetsOut'
  | 'notOurs'
  | 'badSource'
  | 'fragments'
  | 'fragmentsReassembled'
  | 'fragmentsMalformed'
  | 'fragmentsOverlapping'
  | 'fragmentsExpired'
  | 'fragmentsFull'
  | 'fragmentsTooLong'
  | 'fragmentsOut'
  | 'unknownProtocol'
  | 'noNextHeader'
  | 'noSlot'
  | 'outputQueueFull'
  | 'replyQueueFull'
  | 'pathQueueFull'
  | 'pathDown'
  | 'pathMtuLearnt'
  | 'pathMtuBlackHoles'
  | 'tcpMalformed'
  | 'tcpChecksum'
  | 'tcpNoListener'
  | 'tcpBadFlags'
  | 'tcpPaws'
  | 'tcpOutOfWindow'
  | 'tcpNoAck'
  | 'tcpBadAck'
  | 'tcpBlindReset'
  | 'tcpBlindSyn'
  | 'tcpBacklogFull'
  | 'tcpConnectionsFull'
  | 'tcpOrphansFull'
  | 'tcpReassemblyFull'
  | 'tcpReceiveMemoryFull'
  | 'tcpDuplicate'
  | 'tcpOutOfOrder'
  | 'tcpChallengeAcks'
  | 'tcpResetsSent'
  | 'tcpResetsReceived'
  | 'tcpRetransmits'
  | 'tcpTimeouts'
  | 'tcpRecoveries'
  | 'tcpReneged'
  | 'tcpLossProbes'
  | 'tcpSpurious'
  | 'tcpConnects'
  | 'tcpAccepts'
  | 'udpMalformed'
  | 'udpChecksum'
  | 'udpNoSocket'
  | 'udpQueueFull'
  | 'udpIn'
  | 'udpOut'
  | 'icmpMalformed'
  | 'icmpChecksum'
  | 'icmpIgnored'
  | 'icmpEchoRequests'
  | 'icmpErrorsIn'
  | 'icmpErrorsOut'
  | 'icmpNotBelieved'
  | 'forwardRequests'
  | 'forwardRepeated'
  | 'forwardFull'
  | 'forwardExpired'
  | 'repliesLimited'

const names: readonly CounterName[] = [
  'packetsIn',
  'packetsOut',
  'ipTruncated',
  'ipVersion',
  'ipHeader',
  'ipChecksum',
  'ipOption',
  'ipRouting',
  'ipMapped',
  'notOurs',
  'badSource',
  'fragments',
  'fragmentsReassembled',
  'fragmentsMalformed',
  'fragmentsOverlapping',
  'fragmentsExpired',
  'fragmentsFull',
  'fragmentsTooLong',
  'fragmentsOut',
  'unknownProtocol',
  'noNextHeader',
  'noSlot',
  'outputQueueFull',
  'replyQueueFull',
  'pathQueueFull',
  'pathDown',
  'pathMtuLearnt',
  'pathMtuBlackHoles',
  'tcpMalformed',
  'tcpChecksum',
  'tcpNoListener',
  'tcpBadFlags',
  'tcpPaws',
  'tcpOutOfWindow',
  'tcpNoAck',
  'tcpBadAck',
  'tcpBlindReset',
  'tcpBlindSyn',
  'tcpBacklogFull',
  'tcpConnectionsFull',
  'tcpOrphansFull',
  'tcpReassemblyFull',
  'tcpReceiveMemoryFull',
  'tcpDuplicate',
  'tcpOutOfOrder',
  'tcpChallengeAcks',
  'tcpResetsSent',
  'tcpResetsReceived',
  'tcpRetransmits',
  'tcpTimeouts',
  'tcpRecoveries',
  'tcpReneged',
  'tcpLossProbes',
  'tcpSpurious',
  'tcpConnects',
  'tcpAccepts',
  'udpMalformed',
  'udpChecksum',
  'udpNoSocket',
  'udpQueueFull',
  'udpIn',
  'udpOut',
  'icmpMalformed',
  'icmpChecksum',
  'icmpIgnored',
  'icmpEchoRequests',
  'icmpErrorsIn',
  'icmpErrorsOut',
  'icmpNotBelieved',
  'forwardRequests',
  'forwardRepeated',
  'forwardFull',
  'forwardExpired',
  'repliesLimited',
]

export function createCounters(): StackCounters {
  const counters = {} as StackCounters
  for (const name of names) counters[name] = 0
  return counters
}
