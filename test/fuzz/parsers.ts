// The parsers: each takes any bytes, and says in a word what it made of them. What must hold is checked here: nothing throws but
// the error that is documented, nothing beyond the input is read, and what was understood is written the same way again.
import { deepStrictEqual, strictEqual } from 'node:assert'
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '../../src/core/base/address.js'
import { decodeKey, encodeKey } from '../../src/core/base/base64.js'
import { createPacketMemory } from '../../src/core/base/packet-memory.js'
import { formatConfig, parseConfig } from '../../src/core/config/config.js'
import { parseUapiSet } from '../../src/core/config/uapi-set.js'
import { formatUapiStatus, parseUapiStatus } from '../../src/core/config/uapi-status.js'
import { judgeAnswer } from '../../src/core/resolver/answer.js'
import { dnsFlag, parseDns, serialiseDns } from '../../src/core/wire/dns.js'
import { createIcmpHeader, parseIcmp, parseQuoted } from '../../src/core/wire/icmp.js'
import {
  createIpHeader,
  parseIp,
  protocolIcmp,
  protocolIcmpv6,
  protocolTcp,
  protocolUdp,
} from '../../src/core/wire/ip.js'
import { parseKeyLog, serialiseKeyLog } from '../../src/core/wire/key-log.js'
import { parseCapture, serialiseCapturedPacket, serialiseCaptureHeader } from '../../src/core/wire/pcapng.js'
import { createTcpHeader, parseTcp } from '../../src/core/wire/tcp.js'
import { createUdpHeader, parseUdp } from '../../src/core/wire/udp.js'
import {
  messageTypeAt,
  parseCookieReply,
  parseInitiation,
  parseResponse,
  serialiseCookieReply,
  serialiseInitiation,
  serialiseResponse,
} from '../../src/core/wire/wireguard.js'
import { TunnelError } from '../../src/errors.js'
import { parseRequest } from '../../src/node/control/protocol.js'
import { type Credentials, createCredentials } from '../../src/proxy/credentials.js'
import { readAbsoluteForm, readAuthority } from '../../src/proxy/http-message.js'
import { Socks5Negotiation } from '../../src/proxy/socks5.js'
import { formatDatagram, readDatagram } from '../../src/proxy/socks5-address.js'
import { policyTargets } from './policies.js'
import { configWords, dnsSeeds, packetSeeds, textSeeds, uapiWords, wireguardSeeds } from './seeds.js'

export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly words?: readonly Uint8Array[]
  /** Throws where something is wrong; else says what happened, in few different ways. */
  run(input: Uint8Array): string
}

const slotSize = 8192
const memory = createPacketMemory(new ArrayBuffer(slotSize * 2), slotSize)
const slot = memory.alloc()
const offset = slot + 16
const ip = createIpHeader()
const tcp = createTcpHeader()
const udp = createUdpHeader()
const icmp = createIcmpHeader()
const utf8 = new TextDecoder()
const encode = (text: string) => new TextEncoder().encode(text)

/** Whatever stands behind a packet must not matter to who reads it. */
function inMemory(input: Uint8Array, read: (length: number) => string): string {
  const outcomes = [0, 0xff].map(rest => {
    memory.u8.fill(rest, slot, slot + slotSize)
    memory.u8.set(input, offset)
    return read(input.length)
  })
  strictEqual(outcomes[1], outcomes[0], 'what lies behind the packet was read')
  return outcomes[0] as string
}

function readPacket(length: number): string {
  const drop = parseIp(memory, offset, length, ip)
  if (drop === 'ipOption' || drop === 'ipRouting') {
    if (ip.version === 6 && ip.problem >= 0) within('the problem', offset + ip.problemAt, 1, length)
    return `${drop} ${ip.version}`
  }
  if (drop !== undefined) return drop
  within('what names the protocol', offset + ip.protocolAt, 1, length)
  within('the payload', ip.payload, ip.payloadLength, length)
  const kind = `${ip.version}${ip.fragment ? ' fragment' : ''}`
  if (ip.fragment) return kind
  if (ip.protocol === protocolTcp) return `${kind} tcp ${readTcp(ip.payload, ip.payloadLength)}`
  if (ip.protocol === protocolUdp) {
    const reason = parseUdp(memory, ip, udp)
    if (reason === undefined) within('the datagram', udp.payload, udp.payloadLength, length)
    return `${kind} udp ${reason}`
  }
  if (ip.protocol !== protocolIcmp && ip.protocol !== protocolIcmpv6) return `${kind} other`
  const reason = parseIcmp(memory, ip, icmp)
  if (reason !== undefined) return `${kind} icmp ${reason}`
  const quoted = parseQuoted(memory, icmp)
  return `${kind} icmp ${icmp.kind} ${quoted === undefined ? '' : `quotes ${quoted.protocol}`}`
}

function readTcp(at: number, length: number): string {
  if (!parseTcp(memory, at, length, tcp)) return 'malformed'
  within('the segment', tcp.payload, tcp.payloadLength, at + length - offset)
  const { mss, windowScale, sackPermitted, hasTimestamps, sackCount } = tcp
  return `ok ${[mss > 0, windowScale >= 0, sackPermitted, hasTimestamps].map(Number).join('')} ${sackCount}`
}

function within(what: string, start: number, size: number, length: number): void {
  if (start < offset || size < 0 || start + size > offset + length)
    throw new Error(`${what} lies outside of its packet`)
}

function readMessage(input: Uint8Array): string {
  const type = inMemory(input, length => `${messageTypeAt(memory.view, offset, length)}`)
  const initiation = parseInitiation(input)
  const response = parseResponse(input)
  const cookie = parseCookieReply(input)
  const known = [initiation && 1, response && 2, cookie && 3].filter(Boolean).join()
  if (known !== '' || (type >= '1' && type <= '3')) strictEqual(known, type, 'two readers do not agree on the type')
  if (initiation) deepStrictEqual(serialiseInitiation(initiation).slice(0, 116), input.slice(0, 116))
  if (response) deepStrictEqual(serialiseResponse(response).slice(0, 60), input.slice(0, 60))
  if (cookie) deepStrictEqual(serialiseCookieReply(cookie), new Uint8Array(input))
  return type
}

function readCapture(input: Uint8Array): string {
  const packets = parseCapture(input)
  if (packets === undefined) return 'none'
  for (const packet of packets) {
    const again = [serialiseCaptureHeader('', []), serialiseCapturedPacket(packet)]
    deepStrictEqual(parseCapture(Uint8Array.from(Buffer.concat(again))), [packet])
  }
  return `${Math.min(packets.length, 3)} packets`
}

function readKeyLog(input: Uint8Array): string {
  const handshakes = parseKeyLog(utf8.decode(input))
  if (handshakes === undefined) return 'none'
  deepStrictEqual(parseKeyLog(handshakes.map(serialiseKeyLog).join('')), handshakes)
  return `${Math.min(handshakes.length, 3)} handshakes`
}

/** What was understood is the same after it was written out, and says something to its own question. */
function readDns(input: Uint8Array): string {
  const message = parseDns(input)
  if (message === undefined) return 'none'
  const { id, flags, questions, answers, authorities, additionals } = message
  let written: Uint8Array
  try {
    written = serialiseDns(message)
  } catch (error) {
    // Without compression it is longer than a message may be.
    if (error instanceof RangeError && input.length > 200) return 'too long'
    throw error
  }
  deepStrictEqual(parseDns(written), message)
  const [question] = questions
  const verdict = question && judgeAnswer(message, { id, name: question.name, type: question.type }, 12)
  const counts = [questions, answers, authorities, additionals].map(list => Math.min(list.length, 2))
  return `${counts} ${(flags & dnsFlag.truncated) !== 0} ${verdict?.kind}`
}

const keyText = /[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=/g

/** An error names line and remedy and no key; what is understood is the same after it was written out. */
function readConfig(input: Uint8Array): string {
  const text = utf8.decode(input)
  try {
    const config = parseConfig(text, 'fuzz.conf')
    const written = formatConfig(config)
    const again = parseConfig(written, 'fuzz.conf')
    strictEqual(formatConfig(again), written, 'what was written is read differently')
    strictEqual(again.peers.length, config.peers.length, 'the number of peers')
    deepStrictEqual(again.interface, config.interface)
    return `${Math.min(config.peers.length, 3)} peers, ${config.notes.length > 0 ? 'notes' : 'no notes'}`
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code !== 'CONFIG_INVALID') throw error
    for (const [key] of text.matchAll(keyText)) if (error.message.includes(key)) throw new Error(`shows ${key}`)
    if (!/^fuzz\.conf(:\d+)?: /.test(error.message)) throw new Error(`names no line: ${error.message}`)
    const remedy = error.message.slice(error.message.lastIndexOf(': ') + 2)
    return remedy.replace(/[^a-z ]/g, '').slice(0, 16)
  }
}

function readUapiSet(input: Uint8Array): string {
  const result = parseUapiSet(utf8.decode(input))
  return result.ok ? `${Math.min(result.set.peers.length, 3)} peers` : `errno ${result.errno}`
}

function readUapiStatus(input: Uint8Array): string {
  const status = parseUapiStatus(utf8.decode(input))
  if (status === undefined) return 'none'
  // A time beyond every calendar is no matter: what is written must be read again.
  if (
    parseUapiStatus(formatUapiStatus(status)) === undefined &&
    status.peers.every(peer => peer.lastHandshake < 8.64e15)
  )
    throw new Error('what was written is not read')
  return `${Math.min(status.peers.length, 3)} peers`
}

function readWord(input: Uint8Array): string {
  const text = utf8.decode(input)
  const address = parseAddress(text)
  if (address !== undefined) deepStrictEqual(parseAddress(formatAddress(address)), address)
  const prefix = parsePrefix(text)
  if (prefix !== undefined) deepStrictEqual(parsePrefix(formatPrefix(prefix)), prefix)
  const key = decodeKey(text)
  if (key !== undefined) strictEqual(encodeKey(key), text)
  return `${address?.length} ${prefix?.address.length} ${key?.length}`
}

const credentials = createCredentials([['ci', 'secret']])

/** However the bytes are cut, they mean the same. */
function readSocks(input: Uint8Array, users?: Credentials): string {
  const outcomes = [input.length, 1, 3].map(step => {
    const negotiation = new Socks5Negotiation(users)
    const replies: Uint8Array[] = []
    for (let at = 0; at < input.length; at += step) {
      const now = negotiation.push(input.slice(at, at + step))
      replies.push(now.reply)
      if (now.state === 'reading') continue
      const reply = Buffer.concat(replies).toString('hex')
      return now.state === 'refused'
        ? `refused ${now.reason} ${reply}`
        : `${JSON.stringify(now.state === 'connect' ? now.target : now.source)} ${reply}`
    }
    return `reading ${Buffer.concat(replies).toString('hex')}`
  })
  for (const outcome of outcomes) strictEqual(outcome, outcomes[0], 'the cuts matter')
  return (outcomes[0] as string).replace(/^\{.*\}/s, 'connect')
}

/** What is read is read again from what is written of it. */
function readSocksDatagram(input: Uint8Array): string {
  const datagram = readDatagram(input)
  if (typeof datagram === 'string') return datagram
  const { target, data } = datagram
  if (!input.subarray(input.length - data.length).every((byte, i) => byte === data[i])) throw new Error('other data')
  if (parseAddress(target.host) === undefined) return 'name'
  deepStrictEqual(readDatagram(formatDatagram(target, data)), { target, data: new Uint8Array(data) })
  return `address ${parseAddress(target.host)?.length}`
}

/** No part of a URL ends where another one would begin it. */
function readUrl(input: Uint8Array): string {
  const url = Buffer.from(input).toString('latin1')
  const target = readAbsoluteForm('GET', url)
  if ('why' in target) return String(target.status)
  const { host, port, authority, path } = target
  if (/[\s/?#@[\]]/.test(host) || path[0] !== '/' || path.includes('#')) throw new Error(`${host} ${path}`)
  deepStrictEqual(readAuthority(authority, 80), { host, port })
  if (!url.includes(authority)) throw new Error(`${authority} is not there`)
  return host.includes(':') ? 'address' : 'name'
}

function readControl(input: Uint8Array): string {
  const request = parseRequest(utf8.decode(input))
  return request === undefined ? 'none' : Object.keys(request).join()
}

export const parsers: readonly Target[] = [
  { name: 'ip', seeds: packetSeeds, run: input => inMemory(input, readPacket) },
  {
    name: 'tcp',
    seeds: packetSeeds.map(packet => packet.slice(20)),
    run: input => inMemory(input, n => readTcp(offset, n)),
  },
  { name: 'wireguard', seeds: wireguardSeeds, run: readMessage },
  { name: 'pcapng', seeds: textSeeds.captures, run: readCapture },
  { name: 'key-log', seeds: textSeeds.keyLogs, run: readKeyLog },
  { name: 'dns', seeds: dnsSeeds, run: readDns },
  { name: 'config', seeds: textSeeds.configs, words: configWords.map(encode), run: readConfig },
  { name: 'uapi-set', seeds: textSeeds.uapiSets, words: uapiWords.map(encode), run: readUapiSet },
  { name: 'uapi-status', seeds: textSeeds.uapiStatuses, words: uapiWords.map(encode), run: readUapiStatus },
  { name: 'words', seeds: textSeeds.words, run: readWord },
  { name: 'socks5', seeds: textSeeds.socks, run: input => readSocks(input) },
  { name: 'socks5-password', seeds: textSeeds.socksPasswords, run: input => readSocks(input, credentials) },
  { name: 'socks5-datagram', seeds: textSeeds.socksDatagrams, run: readSocksDatagram },
  {
    name: 'http-url',
    seeds: textSeeds.urls,
    words: ['http://', '[', ']:', '@', '#', '?', ':80', '//'].map(encode),
    run: readUrl,
  },
  { name: 'control', seeds: textSeeds.requests, run: readControl },
  ...policyTargets,
]
