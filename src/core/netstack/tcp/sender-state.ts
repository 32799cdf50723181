// What a sender remembers of its path and of a repair under way: the state of RACK-TLP (RFC 8985), PRR (RFC 6937bis),
// undoing (RFC 3522, 3708, 5682), delivery rate (draft-ietf-ccwg-bbr, 4.1) and pacing. The modules of these names use it.

export class SenderState {
  // RACK (rack.ts).
  /** RACK.segment: the newest segment delivered; −1 before the first. */
  rackSentAt = -1
  rackEnd = 0
  rackRtt = 0
  /** When the newest full segment of those that were delivered left; −1 before the first (segment-size.ts). */
  fullSentAt = -1
  reorderingSeen = false
  reoWndMult = 1
  reoWndPersist = 0
  /** SND.NXT when a DSACK last widened the reordering window: once a round is enough. */
  dsackRoundEnd = 0
  inDsackRound = false
  /** When what may still be reordering is judged; Infinity if nothing is. */
  reorderAt = Infinity

  // Windowed minimum of the round trip (min-rtt.ts).
  minRtt = Infinity
  minRttAt = 0
  /** The least since half of the window has passed; what follows when the other has grown old. */
  nextMinRtt = Infinity
  nextMinRttAt = 0

  // TLP (tlp.ts).
  lossProbeAt = Infinity
  lossProbeDue = false
  /** A probe is out, and its fate unknown: SND.NXT behind it, and whether it was sent before. */
  probing = false
  probeEnd = 0
  probeWasResent = false

  // PRR (prr.ts).
  prrDelivered = 0
  prrOut = 0
  recoverFs = 1
  /** Bytes that may leave before the next acknowledgement. */
  prrRoom = 0

  // Undo (spurious.ts).
  /** A reduction may still turn out to be spurious. */
  mayUndo = false
  /** SND.UNA when it began. */
  undoFrom = 0
  /** Bytes resent since then and not reported as duplicates. */
  undoBytes = 0
  /** Where the first copies start. */
  undoStarts: Int32Array | undefined = undefined
  undoCount = 0
  /** Whether anything was resent since then, and our timestamp in the first of it. */
  undoResent = false
  undoByTimestamp = false
  undoTimestamp = 0
  duplicatesReported = 0
  /** F-RTO: 0 off, 1 the head was resent, 2 new data was sent and its acknowledgement decides. */
  frtoStep = 0

  // Delivery rate (rate-sample.ts).
  delivered = 0
  deliveredAt = 0
  firstSentAt = 0
  lost = 0
  /** What is delivered up to this count was sent while the application was the limit; 0 if it is not. */
  appLimitedUntil = 0

  // Pacing (pacing.ts).
  credit = 0
  creditAt = -Infinity
  /** When the next segment may leave, if only the rate holds it back. */
  paceAt = Infinity
}
