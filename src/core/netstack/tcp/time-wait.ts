// Connections in TIME-WAIT (RFC 9293, 3.6.1): sixteen words and two times each, in arrays that grow to a bound. They
// expire in the order in which they came; where the bound is met the oldest makes room.
import { type Deadlined, notScheduled } from '../../base/deadline-heap.js'
import type { AddressWords } from '../../wire/ip.js'
import { timeWaitTime } from './constants.js'
import { hashFlow } from './flow-table.js'

const localWords = 0
const remoteWords = 4
const portsWord = 8
const sndNxtWord = 9
const rcvNxtWord = 10
const tsRecentWord = 11
const tsOffsetWord = 12
/** Window as it was last advertised, and whether timestamps were in use. */
const windowWord = 13
const nextWord = 14
const newerWord = 15
const olderWord = 16
const stride = 17

const smallest = 64
const noRecord = -1

/** What a connection leaves behind. */
export interface Remains {
  readonly local: AddressWords
  readonly remote: AddressWords
  readonly localPort: number
  readonly remotePort: number
  readonly sndNxt: number
  readonly rcvNxt: number
  readonly tsOk: boolean
  readonly tsOffset: number
  readonly tsRecent: number
  readonly tsRecentAt: number
  /** As advertised, after scaling down. */
  readonly window: number
}

export class TimeWaitTable {
  size = 0
  /** The table's place among the deadlines of the stack. */
  readonly timer: Deadlined & { handleDeadline(now: number): void }
  readonly #seed: number
  readonly #limit: number
  readonly #schedule: (deadline: number) => void
  #capacity = 0
  #words = new Int32Array(0)
  #times = new Float64Array(0)
  #buckets = new Int32Array(0)
  #free = noRecord
  #oldest = noRecord
  #newest = noRecord

  constructor(seed: number, limit: number, schedule: (deadline: number) => void) {
    this.#seed = seed
    this.#limit = limit
    this.#schedule = schedule
    this.timer = { ...notScheduled, handleDeadline: now => this.#expire(now) }
  }

  /** The record of a 4-tuple, or −1. */
  find(local: AddressWords, localPort: number, remote: AddressWords, remotePort: number): number {
    if (this.size === 0) return noRecord
    const ports = (localPort << 16) | remotePort
    const hash = hashFlow(this.#seed, local, localPort, remote, remotePort)
    let record = this.#buckets[hash & (this.#capacity - 1)] as number
    while (record !== noRecord) {
      const at = record * stride
      if (
        this.#words[at + portsWord] === ports &&
        this.#matches(at + remoteWords, remote) &&
        this.#matches(at, local)
      ) {
        return record
      }
      record = this.#words[at + nextWord] as number
    }
    return noRecord
  }

  add(remains: Remains, now: number): void {
    if (this.size === this.#limit) this.remove(this.#oldest)
    if (this.#free === noRecord) this.#grow()
    const record = this.#free
    const at = record * stride
    const words = this.#words
    this.#free = words[at + nextWord] as number
    this.#put(at + localWords, remains.local)
    this.#put(at + remoteWords, remains.remote)
    words[at + portsWord] = (remains.localPort << 16) | remains.remotePort
    words[at + sndNxtWord] = remains.sndNxt
    words[at + rcvNxtWord] = remains.rcvNxt
    words[at + tsRecentWord] = remains.tsRecent
    words[at + tsOffsetWord] = remains.tsOffset
    words[at + windowWord] = (remains.window << 1) | (remains.tsOk ? 1 : 0)
    this.#times[record * 2 + 1] = remains.tsRecentAt
    this.#link(record)
    this.#append(record, now)
    this.size++
    if (this.timer.heapIndex < 0) this.#schedule(now + timeWaitTime)
  }

  remove(record: number): void {
    const words = this.#words
    const at = record * stride
    const bucket = this.#bucketOf(record)
    let previous = noRecord
    let found = this.#buckets[bucket] as number
    while (found !== record) {
      previous = found
      found = words[found * stride + nextWord] as number
    }
    const next = words[at + nextWord] as number
    if (previous === noRecord) this.#buckets[bucket] = next
    else words[previous * stride + nextWord] = next
    this.#detach(record)
    words[at + nextWord] = this.#free
    this.#free = record
    this.size--
  }

  /** The peer's FIN came again: the wait starts anew. */
  restart(record: number, now: number): void {
    this.#detach(record)
    this.#append(record, now)
  }

  sndNxt(record: number): number {
    return this.#words[record * stride + sndNxtWord] as number
  }

  rcvNxt(record: number): number {
    return this.#words[record * stride + rcvNxtWord] as number
  }

  tsOk(record: number): boolean {
    return ((this.#words[record * stride + windowWord] as number) & 1) !== 0
  }

  window(record: number): number {
    return (this.#words[record * stride + windowWord] as number) >>> 1
  }

  tsOffset(record: number): number {
    return this.#words[record * stride + tsOffsetWord] as number
  }

  tsRecent(record: number): number {
    return this.#words[record * stride + tsRecentWord] as number
  }

  tsRecentAt(record: number): number {
    return this.#times[record * 2 + 1] as number
  }

  clear(): void {
    while (this.#oldest !== noRecord) this.remove(this.#oldest)
  }

  #expire(now: number): void {
    while (this.#oldest !== noRecord && (this.#times[this.#oldest * 2] as number) <= now) this.remove(this.#oldest)
    if (this.#oldest !== noRecord) this.#schedule(this.#times[this.#oldest * 2] as number)
  }

  #append(record: number, now: number): void {
    const at = record * stride
    this.#times[record * 2] = now + timeWaitTime
    this.#words[at + newerWord] = noRecord
    this.#words[at + olderWord] = this.#newest
    if (this.#newest === noRecord) this.#oldest = record
    else this.#words[this.#newest * stride + newerWord] = record
    this.#newest = record
  }

  #detach(record: number): void {
    const words = this.#words
    const newer = words[record * stride + newerWord] as number
    const older = words[record * stride + olderWord] as number
    if (older === noRecord) this.#oldest = newer
    else words[older * stride + newerWord] = newer
    if (newer === noRecord) this.#newest = older
    else words[newer * stride + olderWord] = older
  }

  #link(record: number): void {
    const bucket = this.#bucketOf(record)
    this.#words[record * stride + nextWord] = this.#buckets[bucket] as number
    this.#buckets[bucket] = record
  }

  #bucketOf(record: number): number {
    const at = record * stride
    const ports = this.#words[at + portsWord] as number
    const hash = hashFlow(this.#seed, this.#get(at), ports >>> 16, this.#get(at + remoteWords), ports & 0xffff)
    return hash & (this.#capacity - 1)
  }

  #grow(): void {
    const old = this.#capacity
    this.#capacity = Math.max(smallest, old * 2)
    const words = new Int32Array(this.#capacity * stride)
    words.set(this.#words)
    this.#words = words
    const times = new Float64Array(this.#capacity * 2)
    times.set(this.#times)
    this.#times = times
    this.#buckets = new Int32Array(this.#capacity).fill(noRecord)
    // Growing happens only when every record is in use.
    for (let record = 0; record < old; record++) this.#link(record)
    for (let record = this.#capacity - 1; record >= old; record--) {
      words[record * stride + nextWord] = this.#free
      this.#free = record
    }
  }

  #matches(at: number, address: AddressWords): boolean {
    const words = this.#words
    return (
      words[at + 3] === address.w3 &&
      words[at + 2] === address.w2 &&
      words[at + 1] === address.w1 &&
      words[at] === address.w0
    )
  }

  #put(at: number, address: AddressWords): void {
    this.#words[at] = address.w0
    this.#words[at + 1] = address.w1
    this.#words[at + 2] = address.w2
    this.#words[at + 3] = address.w3
  }

  #get(at: number): AddressWords {
    const words = this.#words
    return {
      w0: words[at] as number,
      w1: words[at + 1] as number,
      w2: words[at + 2] as number,
      w3: words[at + 3] as number,
    }
  }
}
