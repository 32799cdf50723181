// Packet memory: one fixed array in which every packet of a tunnel lives, cut into slots of one size. A packet is
// an offset into it, never an object: a view per packet costs more than all of its header handling.

/** A slot's number is its byte offset in `u8`, a multiple of 16. Who receives a slot frees it. */
export interface PacketMemory {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly view: DataView
  /** Bytes in a slot, a multiple of 16. */
  readonly slotSize: number
  /** Slots in all. */
  readonly capacity: number
  /** Slots handed out and not yet freed. */
  readonly inUse: number
  /** Offset of a free slot, its content arbitrary; {@link noSlot} if there is none. */
  alloc(): number
  /** What onesSum of core/wire/checksum.ts gives, where whoever made this memory has a faster way to it. */
  readonly onesSum?: ((offset: number, length: number) => number) | undefined
  /** Gives a slot back. Freeing a slot that is not in use throws: it is a bug of the caller, never of the network. */
  free(slot: number): void
}

export const noSlot = -1

/**
 * Default size of a tunnel's packet memory, in bytes. Pages that were never used cost nothing; but V8 collects garbage at once
 * when 64 MiB come to be outside of its heap, which held up every start.
 */
export const defaultMemoryBytes = 56 * 1024 * 1024

/**
 * Lays slots over `buffer`, from `start` up to `end`; the last ones freed are the first to be used again, so few pages are
 * ever touched.
 */
export function createPacketMemory(
  buffer: ArrayBuffer,
  slotSize: number,
  start = 0,
  end = buffer.byteLength,
  onesSum?: PacketMemory['onesSum'],
): PacketMemory {
  if (slotSize <= 0 || slotSize % 16 !== 0) throw new RangeError(`slot size ${slotSize} is not a multiple of 16`)
  return new SlotMemory(buffer, slotSize, start, Math.floor((end - start) / slotSize), onesSum)
}

/** A class, because V8 keeps the properties of an object literal with a getter in a hash table. */
class SlotMemory implements PacketMemory {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly view: DataView
  readonly slotSize: number
  readonly capacity: number
  readonly onesSum: PacketMemory['onesSum']
  readonly #start: number
  readonly #freed: Int32Array
  #freedCount = 0
  readonly #used: Uint8Array
  /** Slots from here on were never handed out. */
  #fresh = 0

  constructor(
    buffer: ArrayBuffer,
    slotSize: number,
    start: number,
    capacity: number,
    onesSum: PacketMemory['onesSum'],
  ) {
    this.u8 = new Uint8Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.view = new DataView(buffer)
    this.slotSize = slotSize
    this.capacity = capacity
    this.onesSum = onesSum
    this.#start = start
    this.#freed = new Int32Array(capacity)
    this.#used = new Uint8Array(capacity)
  }

  get inUse(): number {
    return this.#fresh - this.#freedCount
  }

  alloc(): number {
    let index: number
    if (this.#freedCount > 0) index = this.#freed[--this.#freedCount] as number
    else if (this.#fresh < this.capacity) index = this.#fresh++
    else return noSlot
    this.#used[index] = 1
    return this.#start + index * this.slotSize
  }

  free(slot: number): void {
    const index = (slot - this.#start) / this.slotSize
    if (this.#used[index] !== 1) throw new Error(`slot ${slot} is not in use`)
    this.#used[index] = 0
    this.#freed[this.#freedCount++] = index
  }
}
