// The path got narrower (RFC 1191, 6.4): what is in flight in segments that are too long now is lost, and is cut.
import type { Scoreboard } from './scoreboard.js'
import { seqAdd, seqDiff } from './sequence.js'

/**
 * Cuts the records of `board` that are longer than `limit` into ones that are not, and finds those lost. `hasFin`: the
 * last sequence number is a FIN, which needs no room. Rare, so it takes the board down and builds it again.
 */
export function resegment(board: Scoreboard, limit: number, hasFin: boolean): void {
  const records = []
  for (let record = board.head; record < board.tail; record++) {
    records.push({
      start: board.sequenceOf(record),
      end: board.endOf(record),
      sentAt: board.sentAt(record),
      sacked: board.isSacked(record),
      lost: board.isLost(record),
      retransmitted: board.wasRetransmitted(record),
    })
  }
  board.release()
  for (const [i, { start, end, sentAt, sacked, lost, retransmitted }] of records.entries()) {
    const room = hasFin && i === records.length - 1 ? limit + 1 : limit
    const tooLong = seqDiff(end, start) > room
    for (let from = start; from !== end; ) {
      const to = tooLong ? seqAdd(from, Math.min(limit, seqDiff(end, from))) : end
      const added = board.tail
      board.sent(from, seqDiff(to, from), sentAt)
      if (retransmitted) board.resent(added, sentAt)
      if (sacked) board.sack(from, to)
      else if (tooLong || lost) board.markLost(added)
      from = to
    }
  }
  board.sortUnderWay()
}
