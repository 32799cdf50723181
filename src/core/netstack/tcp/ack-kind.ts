// What an acknowledgement was, beside its number.

export interface AckKind {
  /** Sequence numbers newly acknowledged. */
  acknowledged: number
  /** A duplicate by RFC 5681's rule. */
  duplicate: boolean
  /** It carried SACK blocks. */
  hasSack: boolean
  /** One of them is a DSACK (RFC 2883), not of a loss probe. */
  duplicateReported: boolean
  /** A DSACK of what the loss probe carried. */
  probeDuplicate: boolean
  /** Bytes in flight before it, by the estimate; and all that was neither acknowledged nor reported. */
  priorInFlight: number
  priorFlight: number
}

/** The one record, filled again for each acknowledgement. */
export const ackKind: AckKind = {
  acknowledged: 0,
  duplicate: false,
  hasSack: false,
  duplicateReported: false,
  probeDuplicate: false,
  priorInFlight: 0,
  priorFlight: 0,
}
