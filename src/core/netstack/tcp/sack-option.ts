// The SACK option that a segment brings (RFC 2018, RFC 2883): its blocks in ascending order for the scoreboard, and the
// DSACK that may stand before them.
import type { TcpHeader } from '../../wire/tcp.js'
import type { AckKind } from './ack-kind.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'
import { noteDuplicateReport } from './spurious.js'
import type { Tcb } from './tcb.js'

const maxBlocks = 4
const starts = new Int32Array(maxBlocks)
const ends = new Int32Array(maxBlocks)

/** Takes in the blocks of `h`, whose acknowledgment is known to the scoreboard already. */
export function takeSacks(c: Tcb, h: TcpHeader, kind: AckKind): void {
  const edges = h.sackEdges
  const start = edges[0] as number
  const end = edges[1] as number
  let first = 0
  if (isDuplicateReport(h, start, end)) {
    first = 1
    noteDuplicateReport(c, start, end, kind)
  }
  // Newest come first on the wire. Taken so, they would look as if segments had overtaken each other.
  let count = 0
  for (let i = first; i < h.sackCount; i++) {
    const from = edges[2 * i] as number
    let at = count++
    for (; at > 0 && seqBefore(from, starts[at - 1] as number); at--) {
      starts[at] = starts[at - 1] as number
      ends[at] = ends[at - 1] as number
    }
    starts[at] = from
    ends[at] = edges[2 * i + 1] as number
  }
  for (let i = 0; i < count; i++) c.board.sack(starts[i] as number, ends[i] as number)
}

/** RFC 2883, 4: the first block lies below the acknowledgment, or within the second. */
function isDuplicateReport(h: TcpHeader, start: number, end: number): boolean {
  if (seqDiff(end, start) <= 0) return false
  if (seqBefore(start, h.acknowledgment)) return seqAtOrBefore(end, h.acknowledgment)
  if (h.sackCount < 2) return false
  return seqAtOrBefore(h.sackEdges[2] as number, start) && seqAtOrBefore(end, h.sackEdges[3] as number)
}
