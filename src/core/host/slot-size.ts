// How large a packet slot must be for an MTU: WireGuard's header, the packet padded to 16, and the tag.

/** Room for what peers with a larger MTU than ours may send, and for handshake messages. */
const smallestSlot = 2048
const dataHeader = 16
const tag = 16

export function slotSizeFor(mtu: number): number {
  return Math.max(smallestSlot, dataHeader + Math.ceil(mtu / 16) * 16 + tag)
}
