// A capture file that is written behind the packets' back: what one turn yields goes out in one write while the next is
// gathered, and a disk or reader that does not keep up loses packets of the capture, never of the tunnel.
import { close, ftruncateSync, write } from 'node:fs'
import { promisify } from 'node:util'
import type { Endpoint, IpAddress } from '../core/base/address.js'
import { createPacketMemory, type PacketMemory } from '../core/base/packet-memory.js'
import { type AddressWords, ipHeaderLength, protocolUdp, wordsOf, writeIpHeader } from '../core/wire/ip.js'
import { serialiseCapturedPacket, serialiseCaptureHeader } from '../core/wire/pcapng.js'
import { udpHeaderLength, writeUdpHeader } from '../core/wire/udp.js'
import type { DeviceTrace } from '../core/wireguard/device.js'
import { openPrivateFile } from './trace-file.js'

/** `outer`: datagrams as on the wire. `inner`: packets as in the tunnel. */
export type CaptureLayers = 'outer' | 'inner' | 'both'

export interface CaptureOptions {
  /** Made with mode 0600, or replaced; refused where others can read it. */
  readonly file: string
  /** `both` by default: two interfaces in one file. */
  readonly layers?: CaptureLayers
  /** Bytes that may wait to be written, 16 MiB by default; packets beyond are left out. */
  readonly limit?: number
}

export interface Capture {
  readonly trace: Pick<DeviceTrace, 'datagram' | 'packet'>
  /** The local UDP port, once it is known. */
  setPort(port: number): void
  /** Writes what waits, and closes the file. */
  close(): Promise<void>
}

const defaultLimit = 16 * 1024 * 1024
const application = 'tunless'
const hopLimit = 64
/** Room for the headers in front of the largest datagram. */
const scratchBytes = 65_536 + 64
/** Which of our addresses a datagram used is not known: the unspecified one stands for this host. */
const unspecified: Record<4 | 6, AddressWords> = { 4: wordsOf(new Uint8Array(4)), 6: wordsOf(new Uint8Array(16)) }
const outer = 'outer'
const inner = 'inner'

/** Opens the file; throws TRACE_FILE_REFUSED. `warn` hears, once, when packets are left out. */
export function openCapture(options: CaptureOptions, warn: (message: string) => void): Capture {
  const { file: path, layers = 'both', limit = defaultLimit } = options
  const names = layers === 'both' ? [outer, inner] : [layers]
  const file = openPrivateFile(path, 'replace')
  const writer = createWriter(file, limit, problem => warn(`${path} is not complete: ${problem}`))
  writer.start(serialiseCaptureHeader(application, names))
  const scratch = createPacketMemory(new ArrayBuffer(scratchBytes), scratchBytes)
  let port = 0

  function add(name: string, bytes: Uint8Array, outbound: boolean): void {
    if (!writer.hasRoom(bytes.length)) return
    const time = Math.floor((performance.timeOrigin + performance.now()) * 1000)
    writer.push(serialiseCapturedPacket({ interface: names.indexOf(name), time, outbound, bytes }))
  }

  return {
    trace: {
      ...(layers !== inner && {
        datagram: (memory, offset, length, remote, outbound) =>
          add(outer, datagramPacket(scratch, memory, offset, length, remote, port, outbound), outbound),
      }),
      ...(layers !== outer && {
        packet: (memory, offset, length, outbound) => add(inner, memory.u8.subarray(offset, offset + length), outbound),
      }),
    },
    setPort(bound) {
      port = bound
    },
    close: () => writer.close(),
  }
}

/** The datagram with the IP and UDP headers that it had on the wire, as far as they are known. */
function datagramPacket(
  scratch: PacketMemory,
  memory: PacketMemory,
  offset: number,
  length: number,
  remote: Endpoint,
  port: number,
  outbound: boolean,
): Uint8Array {
  const version = familyOf(remote.address)
  const there = { address: wordsOf(remote.address), port: remote.port }
  const here = { address: unspecified[version], port }
  const [from, to] = outbound ? [here, there] : [there, here]
  const udp = ipHeaderLength(version)
  const total = udp + udpHeaderLength + length
  scratch.u8.set(memory.u8.subarray(offset, offset + length), udp + udpHeaderLength)
  writeUdpHeader(scratch, udp, from.port, to.port, length, from.address, to.address)
  writeIpHeader(scratch, 0, version, udpHeaderLength + length, protocolUdp, hopLimit, from.address, to.address)
  return scratch.u8.subarray(0, total)
}

function familyOf(address: IpAddress): 4 | 6 {
  return address.length === 4 ? 4 : 6
}

interface Writer {
  start(header: Uint8Array): void
  hasRoom(length: number): boolean
  push(block: Uint8Array): void
  close(): Promise<void>
}

/** One write at a time, of all that has come since the last one began. */
function createWriter(file: number, limit: number, warn: (problem: string) => void): Writer {
  const writing = promisify(write)
  let waiting: Uint8Array[] = []
  let bytes = 0
  let left = 0
  let failed = false
  let turn: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (waiting.length > 0 && !failed) {
      const batch = Buffer.concat(waiting)
      waiting = []
      try {
        for (let at = 0; at < batch.length; ) at += (await writing(file, batch, at)).bytesWritten
      } catch (error) {
        failed = true
        warn((error as Error).message)
      }
      bytes -= batch.length
    }
    turn = undefined
  }

  function push(block: Uint8Array): void {
    waiting.push(block)
    bytes += block.length
    turn ??= new Promise(resolve => setImmediate(resolve)).then(drain)
  }

  return {
    start(header) {
      try {
        ftruncateSync(file)
      } catch {
        // EINVAL: a pipe, which has nothing to cut off
      }
      push(header)
    },
    hasRoom(length) {
      if (failed) return false
      if (bytes + length <= limit) return true
      if (left++ === 0) warn('it is written more slowly than packets come')
      return false
    },
    push,
    async close() {
      while (turn !== undefined) await turn
      await promisify(close)(file)
    },
  }
}
