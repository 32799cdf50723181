// What is checked of a decrypted packet before anything else sees it (WireGuard paper, 5.4.6; kernel, receive.c): that it
// is IP, how long it says it is, and where its source address lies.

const ipv4HeaderSize = 20
const ipv6HeaderSize = 40

/**
 * The length of the IP packet at `offset`, padding not counted, within a plaintext of `length` bytes; 0 if there is no
 * complete IPv4 or IPv6 packet.
 */
export function innerPacketLength(bytes: Uint8Array, offset: number, length: number): number {
  const first = bytes[offset] as number
  if (first >> 4 === 4) {
    if (length < ipv4HeaderSize) return 0
    const headerSize = (first & 15) * 4
    const total = u16(bytes, offset + 2)
    return headerSize >= ipv4HeaderSize && total >= headerSize && total <= length ? total : 0
  }
  if (first >> 4 === 6) {
    if (length < ipv6HeaderSize) return 0
    const total = ipv6HeaderSize + u16(bytes, offset + 4)
    return total <= length ? total : 0
  }
  return 0
}

function u16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)
}

/** Where the source address of a packet that passed {@link innerPacketLength} lies, from its start. */
export function sourceOffset(isIpv4: boolean): number {
  return isIpv4 ? 12 : 8
}
