// What the fuzzer starts from: a few good inputs of each format, and the words that it is made of.
import { createPacketMemory } from '../../src/core/base/packet-memory.js'
import { checksumOf, onesSum } from '../../src/core/wire/checksum.js'
import {
  type AddressWords,
  protocolIcmp,
  protocolIcmpv6,
  protocolTcp,
  protocolUdp,
  pseudoHeaderSum,
  wordsOf,
  writeIpHeader,
} from '../../src/core/wire/ip.js'
import { serialiseKeyLog } from '../../src/core/wire/key-log.js'
import { serialiseCapturedPacket, serialiseCaptureHeader } from '../../src/core/wire/pcapng.js'
import { serialiseCookieReply, serialiseInitiation, serialiseResponse } from '../../src/core/wire/wireguard.js'
import { fragmentsOf } from '../support/fragments.js'

const memory = createPacketMemory(new ArrayBuffer(4096), 2048)
const here = { 4: Uint8Array.of(10, 7, 0, 1), 6: Uint8Array.from([0xfd, 7, ...new Array(13).fill(0), 1]) }
const there = { 4: Uint8Array.of(10, 7, 0, 2), 6: Uint8Array.from([0xfd, 7, ...new Array(13).fill(0), 2]) }

/** An IP packet from `there` to `here` whose checksums hold. `checksumAt`: where the upper layer keeps its own, or -1. */
function packetOf(version: 4 | 6, protocol: number, body: Uint8Array, checksumAt: number): Uint8Array {
  return writePacket(version, protocol, body, checksumAt, wordsOf(there[version]), wordsOf(here[version]))
}

function writePacket(
  version: 4 | 6,
  protocol: number,
  body: Uint8Array,
  checksumAt: number,
  source: AddressWords,
  destination: AddressWords,
): Uint8Array {
  const header = version === 4 ? 20 : 40
  memory.u8.set(body, header)
  writeIpHeader(memory, 0, version, body.length, protocol, 64, source, destination)
  if (checksumAt >= 0 && checksumAt + 2 <= body.length) {
    memory.view.setUint16(header + checksumAt, 0)
    const pseudo = protocol === protocolIcmp ? 0 : pseudoHeaderSum(source, destination, protocol, body.length)
    memory.view.setUint16(header + checksumAt, checksumOf(pseudo + onesSum(memory, header, body.length)))
  }
  return memory.u8.slice(0, header + body.length)
}

/**
 * The packet of this IP header, its lengths and checksums mended, and another body; undefined if the header has extensions or
 * a protocol without a checksum.
 */
export function sealPacket(header: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  const isIpv4 = (header[0] as number) >> 4 === 4
  const protocol = header[isIpv4 ? 9 : 6] as number
  const checksumAt = checksumOffsets[protocol]
  if (checksumAt === undefined) return undefined
  const [source, destination] = isIpv4
    ? [header.slice(12, 16), header.slice(16, 20)]
    : [header.slice(8, 24), header.slice(24, 40)]
  const version = isIpv4 ? 4 : 6
  return writePacket(version, protocol, body, checksumAt, wordsOf(source), wordsOf(destination))
}

/** Where each protocol keeps its checksum. */
export const checksumOffsets: Readonly<Record<number, number>> = {
  [protocolTcp]: 16,
  [protocolUdp]: 6,
  [protocolIcmp]: 2,
  [protocolIcmpv6]: 2,
}

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
const text = (lines: string) => new TextEncoder().encode(lines)

/** SYN with every option, and data with timestamps and SACK. */
const segments = [
  hex('a000 0050 00000001 00000000 a002 ffff 0000 0000 0204 0584 0402 080a 00000001 00000000 01 0303 07'),
  hex(
    'a000 0050 00000002 00000001 d018 ffff 0000 0000 0101 080a 00000002 00000001 0101 050a 00000009 00000019 68656c6c6f',
  ),
]
const datagram = hex('a000 0035 000d 0000 68656c6c6f')
const echo = hex('0800 0000 0001 0001 0102030405060708')
const unreachable = hex('0301 0000 00000000 45000028 00004000 4006 0000 0a070001 0a070002 a000 0050 00000001')
const tooBig6 = hex(
  '0200 0000 00000500 60000000 0014 06 40 fd070000000000000000000000000001 fd070000000000000000000000000002 a000 0050 00000001',
)
/** Hop-by-hop and destination options, then a fragment of UDP. */
const extensions = hex('3c 00 0104 00000000 2c 00 0104 00000000 11 00 0001 00000007').slice()

export const packetSeeds: readonly Uint8Array[] = [
  ...([4, 6] as const).flatMap(version => segments.map(segment => packetOf(version, protocolTcp, segment, 16))),
  packetOf(4, protocolUdp, datagram, 6),
  packetOf(6, protocolUdp, datagram, 6),
  packetOf(4, protocolIcmp, echo, 2),
  packetOf(4, protocolIcmp, unreachable, 2),
  packetOf(6, protocolIcmpv6, tooBig6, 2),
  packetOf(6, 0, Uint8Array.from([...extensions, ...datagram]), -1),
  // Options that ask to be understood, and a routing header that ends here.
  packetOf(6, 60, Uint8Array.from([...hex('11 00 c204 00000100'), ...datagram]), -1),
  packetOf(6, 43, Uint8Array.from([...hex('11 00 0400 00000000'), ...datagram]), -1),
  ...([4, 6] as const).flatMap(version => fragmentsOf(packetOf(version, protocolUdp, datagram, 6), 8)),
]

const fill = (length: number, byte: number) => new Uint8Array(length).fill(byte)

export const wireguardSeeds: readonly Uint8Array[] = [
  serialiseInitiation({
    sender: 1,
    ephemeral: fill(32, 2),
    encryptedStatic: fill(48, 3),
    encryptedTimestamp: fill(28, 4),
  }),
  serialiseResponse({ sender: 1, receiver: 2, ephemeral: fill(32, 3), encryptedNothing: fill(16, 4) }),
  serialiseCookieReply({ receiver: 1, nonce: fill(24, 2), encryptedCookie: fill(32, 3) }),
  hex(`04000000 01000000 0200000000000000 ${'05'.repeat(32)}`),
]

/** A query with EDNS; answers with compressed names, an alias and both families; no such name; one cut short. */
export const dnsSeeds: readonly Uint8Array[] = [
  hex('1234 0100 0001 0000 0000 0001 07 6578616d706c65 03 636f6d 00 0001 0001 00 0029 04d0 00000000 0000'),
  hex(`1234 8180 0001 0003 0000 0001 03 777777 07 6578616d706c65 03 636f6d 00 0001 0001
    c00c 0005 0001 0000003c 0005 02 6c62 c010 c02d 0001 0001 0000001e 0004 0a070009
    c02d 001c 0001 0000001e 0010 fd07000000000000 0000000000000009 00 0029 04d0 00000000 0000`),
  hex(`1234 8183 0001 0000 0001 0000 01 78 00 001c 0001
    00 0006 0001 00000e10 0018 01 61 00 00 00000001 00000002 00000003 00000004 00000005`),
  hex('1234 8380 0001 0000 0000 0000 01 78 00 0001 0001'),
  hex('1234 8185 0001 0000 0001 0000 01 78 00 0001 0001 c00c 0002 0001 00000001 0004 01 6e c00c'),
]

const keys = [1, 2, 3].map(byte => Buffer.alloc(32, byte).toString('base64'))
const [hexKey, otherHexKey] = ['08'.repeat(32), '0a'.repeat(32)]

const captured = { interface: 0, time: 1, outbound: true, bytes: packetSeeds[0] as Uint8Array }

export const textSeeds = {
  captures: [
    Uint8Array.from(
      Buffer.concat([
        serialiseCaptureHeader('tunless', ['outer', 'inner']),
        ...[0, 1].map(() => serialiseCapturedPacket(captured)),
      ]),
    ),
  ],
  keyLogs: [
    text(
      serialiseKeyLog({
        localStatic: fill(32, 1),
        remoteStatic: fill(32, 2),
        localEphemeral: fill(32, 3),
        presharedKey: fill(32, 0),
      }),
    ),
  ],
  configs: [
    text(`[Interface]
PrivateKey = ${keys[0]}
Address = 10.7.0.2/24, fd07::2/64
ListenPort = 51820
MTU = 1420
DNS = 10.7.0.1, example.com
# DNSRoute = corp.example 10.7.0.53 fd07::53
# Name = runner
Tags = tag:ci
Host = db 10.7.0.9 fd07::9
[Peer]
# Name = web1
PublicKey = ${keys[1]}
PresharedKey = ${keys[2]}
AllowedIPs = 10.7.0.1/32, fd07::1/128, 0.0.0.0/0
Endpoint = [2001:db8::1]:51820
PersistentKeepalive = 25
`),
    text(
      `[interface]\nprivatekey=${keys[2]}\nPostUp = iptables -A\n[peer]\npublickey=${keys[1]}\nallowedips=\nendpoint=vpn.example.com:1\n`,
    ),
  ],
  uapiSets: [
    text(`private_key=${hexKey}
listen_port=51820
fwmark=0
replace_peers=true
public_key=${otherHexKey}
preshared_key=${hexKey}
endpoint=[2001:db8::1]:51820
persistent_keepalive_interval=25
replace_allowed_ips=true
allowed_ip=10.7.0.0/24
allowed_ip=-fd07::/64
`),
    text(`public_key=${hexKey}\nremove=true\npublic_key=${otherHexKey}\nupdate_only=true\nprotocol_version=1\n`),
  ],
  uapiStatuses: [
    text(`private_key=${hexKey}
listen_port=51820
public_key=${otherHexKey}
preshared_key=${hexKey}
endpoint=192.0.2.1:51820
allowed_ip=10.7.0.0/24
last_handshake_time_sec=1767225600
last_handshake_time_nsec=5
tx_bytes=1
rx_bytes=2
persistent_keepalive_interval=25
errno=0
`),
  ],
  words: ['10.7.0.1', 'fd07::1', '::ffff:10.7.0.1', '10.0.0.0/8', 'fd00::/8', '::/0', ...keys].map(text),
  socks: [
    hex('0501 00 0501 00 01 0a070001 0050 474554'),
    hex('0502 0002 0501 00 03 04 77656231 0050'),
    hex('0501 00 0501 00 04 fd070000000000000000000000000001 0050'),
  ],
  socksPasswords: [
    hex('050102 01 02 6369 06 736563726574 0501 00 03 04 77656231 0050'),
    hex('050102 01 02 6369 06 736563726574 0503 00 01 00000000 0000'),
    hex('050102 01 02 6369 01 78'),
  ],
  socksDatagrams: [
    hex('000000 01 0a070001 0035 68656c6c6f'),
    hex('000000 03 04 77656231 0035 68656c6c6f'),
    hex('000000 04 fd070000000000000000000000000001 0035 68656c6c6f'),
    hex('000001 01 0a070001 0035 68656c6c6f'),
  ],
  urls: [
    'http://web1/a?b#c',
    'http://web1:8080',
    'http://[fd07::1]:80/',
    'https://web1/',
    'http://u:p@web1/',
    '/a',
  ].map(text),
  requests: [
    text('{"op":"dial","host":"web1","port":22,"timeout":1000,"lease":"a","dial":1}'),
    text('{"op":"join"}'),
    text('{"op":"status"}'),
  ],
}

export const configWords = [
  ...'[Interface] [Peer] PrivateKey PublicKey PresharedKey AllowedIPs Endpoint Address Name Tags Host MTU DNS DNSRoute Table'.split(
    ' ',
  ),
  ...['\n', '\r', '\u2028', '\0', ' = ', '#', ', ', '0.0.0.0/0', '/33', '[::1]:1', 'off', '\ufeff', keys[0] as string],
]

export const uapiWords = [
  ...'private_key= public_key= preshared_key= endpoint= allowed_ip= remove=true replace_peers=true listen_port='.split(
    ' ',
  ),
  ...['\n', '\n\n', '=', '-', '/0', '%eth0', '4294967296', '-1', '0x10', 'true', 'false', hexKey],
]
