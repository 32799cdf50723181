// Small segments that were lost side by side are resent as one (RFC 9293, 3.8.6.2: repacketization; Linux's
// tcp_retrans_try_collapse): a peer that keeps nothing out of order would have each of them resent alone, again and again.
import { hasRoom } from './prr.js'
import { seqDiff } from './sequence.js'
import type { Tcb } from './tcb.js'

/** The last record that leaves in one packet with `record`, as far as the window lets them. */
export function lastToJoin(c: Tcb, record: number): number {
  const board = c.board
  let last = record
  if (!board.isLost(record)) return last
  const sequence = board.sequenceOf(record)
  for (let next = record + 1; next < board.tail && board.isLost(next); next++) {
    const bytes = seqDiff(board.endOf(next), sequence)
    if (bytes > c.segmentSize || !(c.retransmitNow || hasRoom(c, bytes))) break
    last = next
  }
  return last
}
