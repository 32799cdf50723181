// The options `keylog` and `pcap` of a tunnel: what its device shows goes to files.
import { closeSync } from 'node:fs'
import { serialiseKeyLog } from '../core/wire/key-log.js'
import type { DeviceTrace } from '../core/wireguard/device.js'
import { type Capture, type CaptureOptions, openCapture } from './capture.js'
import { openPrivateFile, writeWhole } from './trace-file.js'

export interface TraceOptions {
  /** A file that the secrets of every handshake are appended to, in Wireshark's format. Whoever has it can read the tunnel. */
  keylog?: string
  /** A pcapng file for what passes; a path stands for both layers. */
  pcap?: string | CaptureOptions
}

export interface Tracing {
  readonly trace: DeviceTrace
  /** The local UDP port, once it is known. */
  setPort(port: number): void
  /** Completes the files. Nothing may be traced any more. */
  close(): Promise<void>
}

/**
 * Opens the files; undefined where none is asked for. Throws TRACE_FILE_REFUSED. `warn` hears what the files reveal, and of
 * trouble with them later.
 */
export function openTracing(options: TraceOptions, warn: (message: string) => void): Tracing | undefined {
  const { keylog, pcap } = options
  if (keylog === undefined && pcap === undefined) return undefined
  const keys = keylog === undefined ? undefined : openKeyLog(keylog, warn)
  let capture: Capture | undefined
  try {
    if (pcap !== undefined) capture = openCapture(typeof pcap === 'string' ? { file: pcap } : pcap, warn)
  } catch (error) {
    keys?.close()
    throw error
  }
  return {
    trace: { ...keys?.trace, ...capture?.trace },
    setPort: port => capture?.setPort(port),
    async close() {
      keys?.close()
      await capture?.close()
    },
  }
}

interface KeyLog {
  readonly trace: Pick<DeviceTrace, 'handshake'>
  close(): void
}

function openKeyLog(path: string, warn: (message: string) => void): KeyLog {
  const file = openPrivateFile(path, 'append')
  let failed = false
  warn(
    `${path} gets this tunnel's private key and the secrets of each handshake: whoever has the file can read all of the ` +
      "tunnel's traffic and take its place; delete it when done",
  )
  return {
    trace: {
      // Written when this returns, and so before the message leaves: whoever reads a live capture has the key in time.
      handshake(secrets) {
        try {
          if (!failed) writeWhole(file, serialiseKeyLog(secrets))
        } catch (error) {
          failed = true
          warn(`${path} is not complete: ${(error as Error).message}`)
        }
      },
    },
    close: () => closeSync(file),
  }
}
