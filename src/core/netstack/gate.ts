// Who may talk to whom, as the stack asks it: a gate decides once on each new flow, and hears when the flow is over. What belongs
// to a flow that was let in passes unasked. The stack knows no policy; without a gate everything may pass.
import type { AddressWords } from '../wire/ip.js'

/** A flow that was let through. Belongs to the gate; the stack keeps it with the flow and gives it back. */
export interface FlowTicket {
  readonly protocol: number
  /** Begun by us. */
  readonly outbound: boolean
  readonly local: AddressWords
  readonly localPort: number
  readonly remote: AddressWords
  readonly remotePort: number
}

/** Ports are 0 where the protocol has none. */
export interface FlowGate {
  /**
   * A flow begins by that path: outbound, of ours, or of another's to an address of ours or a forwarded one. Undefined: it may not;
   * the gate has counted that.
   */
  admit(
    outbound: boolean,
    protocol: number,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
    now: number,
  ): FlowTicket | undefined
  /** Whether the other end of the path speaks for the address; who does not is not even answered. */
  isFrom(remote: AddressWords, path: number): boolean
  /** Whether a packet that belongs to no flow is answered: one between these ends, begun by either, would be let through. */
  mayAnswer(
    protocol: number,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
  ): boolean
  /** Whether anything at all may pass between the two, begun by either: what comes before ports are known. */
  mayTalk(local: AddressWords, remote: AddressWords, path: number): boolean
  /** Whether the flow may go on by the path, as things are now. */
  mayGoOn(ticket: FlowTicket, path: number): boolean
  /** The flow is over; `sent` and `received` are bytes of payload. `cut` if it was because {@link mayGoOn} said no. */
  ended(ticket: FlowTicket, sent: number, received: number, cut: boolean, now: number): void
}
