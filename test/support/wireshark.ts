// Captures as Wireshark reads them, and what it does not look at: the content of cookie replies, by noble alone and none of
// our own protocol code.
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { blake2s } from '@noble/hashes/blake2.js'
import { must } from './process.js'

/** Whether tshark is installed. */
export const hasTshark = (process.env.PATH ?? '').split(':').some(folder => {
  try {
    accessSync(join(folder, 'tshark'), constants.X_OK)
    return true
  } catch {
    return false
  }
})

/** One WireGuard message of a capture. */
export interface Frame {
  readonly number: number
  readonly type: number
  /** Base64; of a message with MACs whose receiver is known by the key log. */
  readonly receiverKey: string
  readonly handshakeOk: boolean
  readonly isKeepalive: boolean
  /** What was found in it, from the outside in: `raw:ip:udp:wg:ip:icmp:data`. */
  readonly protocols: string
  /** Anything that tshark complains about. */
  readonly complaints: string
  readonly payload: Uint8Array
}

const fields = [
  'frame.number',
  'wg.type',
  'wg.receiver_pubkey',
  'wg.handshake_ok',
  'wg.keepalive',
  'frame.protocols',
  'wg.decryption_error',
  'wg.bad_packet_length',
  '_ws.malformed',
  'udp.payload',
]

/** The WireGuard messages of the capture from or to UDP port `port`. */
export async function readCapture(file: string, keylog: string, port: number): Promise<Frame[]> {
  const args = ['-r', file, '-o', `wg.keylog_file:${keylog}`, '-d', `udp.port==${port},wg`, '-Y', 'wg']
  const shown = fields.flatMap(field => ['-e', field])
  const output = await must('tshark', [...args, '-T', 'fields', '-E', 'occurrence=f', ...shown])
  return output
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [number, type, receiverKey, ok, keepalive, protocols, undecrypted, badLength, malformed, payload] =
        line.split('\t') as [string, string, string, string, string, string, string, string, string, string]
      return {
        number: Number(number),
        type: Number(type),
        receiverKey,
        handshakeOk: ok === '1' || ok === 'True',
        isKeepalive: keepalive !== '',
        protocols,
        complaints: [undecrypted, badLength, malformed].join(''),
        payload: Uint8Array.from(Buffer.from(payload, 'hex')),
      }
    })
}

/** What is wrong with the messages of a capture; empty where tshark could read all of it. */
export function faultsOf(frames: readonly Frame[]): string[] {
  const faults: string[] = []
  for (const frame of frames) {
    const fault = (what: string) => faults.push(`frame ${frame.number}, type ${frame.type}: ${what}`)
    if (frame.complaints !== '') fault(`tshark complains: ${frame.complaints}`)
    if (frame.type <= 2 && frame.receiverKey === '') fault('MAC1 is of no known receiver')
    if (frame.type === 2 && !frame.handshakeOk) fault('the handshake cannot be decrypted')
    if (frame.type === 4 && !frame.isKeepalive && !/:wg:ip(v6)?:/.test(frame.protocols))
      fault(`no packet inside: ${frame.protocols}`)
  }
  return faults
}

const text = new TextEncoder()

/**
 * Opens every cookie reply of the capture and compares MAC2 of the messages that follow with what its cookie makes of them.
 * Returns how many cookies were given, and how many messages carried a MAC2 under one.
 */
export function checkCookies(frames: readonly Frame[]): { cookies: number; underCookie: number; faults: string[] } {
  const faults: string[] = []
  const held: { receiverKey: string; cookie: Uint8Array }[] = []
  let underCookie = 0
  for (const [at, { number, type, payload, receiverKey }] of frames.entries()) {
    if (type <= 2) {
      const [covered, mac2] = [payload.subarray(0, payload.length - 16), payload.subarray(payload.length - 16)]
      if (mac2.every(byte => byte === 0)) continue
      const same = (cookie: Uint8Array) => Buffer.compare(blake2s(covered, { key: cookie, dkLen: 16 }), mac2) === 0
      if (held.some(entry => entry.receiverKey === receiverKey && same(entry.cookie))) underCookie++
      else faults.push(`frame ${number}: MAC2 is under no cookie that was given`)
    } else if (type === 3) {
      const receiver = Buffer.from(payload.subarray(4, 8))
      const answered = frames
        .slice(0, at)
        .findLast(frame => frame.type <= 2 && receiver.equals(frame.payload.subarray(4, 8)))
      if (answered === undefined) {
        faults.push(`frame ${number}: a cookie reply to nothing`)
        continue
      }
      const mac1 = answered.payload.subarray(-32, -16)
      const key = blake2s(Buffer.concat([text.encode('cookie--'), Buffer.from(answered.receiverKey, 'base64')]))
      try {
        const cookie = xchacha20poly1305(key, payload.subarray(8, 32), mac1).decrypt(payload.subarray(32))
        held.push({ receiverKey: answered.receiverKey, cookie })
      } catch {
        faults.push(`frame ${number}: the cookie does not decrypt`)
      }
    }
  }
  return { cookies: held.length, underCookie, faults }
}
