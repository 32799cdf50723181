// The userspace configuration protocol in text: line 28, and what a hostile or careless writer may send.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatEndpoint, formatPrefix, parsePrefix } from '../../../../src/core/base/address.js'
import { hex } from '../../../../src/core/base/text.js'
import { parseUapiSet, type UapiSet } from '../../../../src/core/config/uapi-set.js'
import { formatUapiStatus, parseUapiStatus, type UapiStatus } from '../../../../src/core/config/uapi-status.js'
import { Device } from '../../../../src/core/wireguard/device.js'
import { nodeCrypto } from '../../../../src/node/crypto/node.js'

const keyText = (first: number) => hex(Uint8Array.from({ length: 32 }, (_, i) => (first + i) & 0xff))

function read(...lines: string[]): UapiSet {
  const result = parseUapiSet(lines.map(line => `${line}\n`).join(''))
  if (!result.ok) throw new Error(`errno ${result.errno}`)
  return result.set
}

function errnoOf(...lines: string[]): number {
  const result = parseUapiSet(lines.map(line => `${line}\n`).join(''))
  return result.ok ? 0 : result.errno
}

describe('the text of set=1', () => {
  it('is read into a list of changes, in its order (W28)', () => {
    const set = read(
      `private_key=${keyText(1)}`,
      'listen_port=51820',
      'fwmark=0',
      'replace_peers=true',
      `public_key=${keyText(2)}`,
      'protocol_version=1',
      'update_only=true',
      `preshared_key=${keyText(3)}`,
      'endpoint=192.0.2.1:51820',
      'persistent_keepalive_interval=25',
      'replace_allowed_ips=true',
      'allowed_ip=10.7.0.9/24',
      'allowed_ip=-fd00::/64',
      `public_key=${keyText(4).toUpperCase()}`,
      'endpoint=[2001:db8::1]:1',
      `public_key=${keyText(2)}`,
      'remove=true',
    )
    expect(hex(set.privateKey!)).toBe(keyText(1))
    expect(set).toMatchObject({ listenPort: 51820, fwmark: 0, replacePeers: true })
    const [first, second, third] = set.peers
    expect(set.peers.map(peer => hex(peer.publicKey))).toEqual([keyText(2), keyText(4), keyText(2)])
    expect(first).toMatchObject({ updateOnly: true, remove: false, persistentKeepalive: 25, replaceAllowedIps: true })
    expect(formatEndpoint(first!.endpoint!)).toBe('192.0.2.1:51820')
    expect(first!.allowedIps.map(prefix => [formatPrefix(prefix), prefix.remove])).toEqual([
      ['10.7.0.0/24', undefined],
      ['fd00::/64', true],
    ])
    expect(formatEndpoint(second!.endpoint!)).toBe('[2001:db8::1]:1')
    expect(third!.remove).toBe(true)
  })

  it('knows listen_port=0 and fwmark=0, which wg always sends (W28)', () => {
    expect(read('listen_port=0', 'fwmark=0')).toMatchObject({ listenPort: 0, fwmark: 0, peers: [] })
  })

  it('replace_allowed_ips forgets the prefixes before it (W28)', () => {
    const set = read(`public_key=${keyText(1)}`, 'allowed_ip=10.0.0.0/8', 'replace_allowed_ips=true')
    expect(set.peers[0]).toMatchObject({ replaceAllowedIps: true, allowedIps: [] })
  })

  it.each([
    ['a key that is too short', ['private_key=00']],
    ['a key that is no hexadecimal', [`private_key=${'g'.repeat(64)}`]],
    ['a port beyond 65535', ['listen_port=65536']],
    ['a negative port', ['listen_port=-1']],
    ['a port that is no number', ['listen_port=0x10']],
    ['a mark beyond 32 bits', ['fwmark=4294967296']],
    ['replace_peers=false', ['replace_peers=false']],
    ['an unknown key', ['colour=blue']],
    ['a key of a peer before any peer', ['allowed_ip=10.0.0.0/8']],
    ['a key of the device after a peer', [`public_key=${keyText(1)}`, 'listen_port=1']],
    ['a name as endpoint', [`public_key=${keyText(1)}`, 'endpoint=vpn.example:51820']],
    ['an endpoint without port', [`public_key=${keyText(1)}`, 'endpoint=192.0.2.1']],
    ['port 0 of an endpoint', [`public_key=${keyText(1)}`, 'endpoint=192.0.2.1:0']],
    ['a naked IPv6 endpoint', [`public_key=${keyText(1)}`, 'endpoint=2001:db8::1:51820']],
    ['a keepalive beyond 65535', [`public_key=${keyText(1)}`, 'persistent_keepalive_interval=65536']],
    ['a prefix that is too long', [`public_key=${keyText(1)}`, 'allowed_ip=10.0.0.0/33']],
    ['a prefix without length', [`public_key=${keyText(1)}`, 'allowed_ip=10.0.0.0']],
    ['another protocol version', [`public_key=${keyText(1)}`, 'protocol_version=2']],
    ['an own public key of zeros, but one digit short', [`public_key=${'0'.repeat(63)}`]],
  ])('%s is -22', (_name, lines) => expect(errnoOf(...lines)).toBe(-22))

  it('a line without = is -71 (W28)', () => expect(errnoOf('listen_port')).toBe(-71))

  it('never throws, whatever it is given (W28) (X8)', () => {
    const key = fc.constantFrom(
      'private_key',
      'listen_port',
      'public_key',
      'endpoint',
      'allowed_ip',
      'preshared_key',
      '',
    )
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('true', '0', '-', '-10.0.0.0/8', '10.0.0.0/8', '[::]:1', keyText(1), keyText(1).slice(1)),
    )
    const line = fc.tuple(key, fc.constantFrom('=', '', '=='), value).map(parts => parts.join(''))
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(line).map(lines => lines.join('\n')),
        ),
        text => {
          parseUapiSet(text)
          parseUapiStatus(text)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('loads 130,000 prefixes within 1.5 s (W23)', () => {
    const lines = [`public_key=${keyText(1)}`, 'replace_allowed_ips=true']
    for (let i = 0; i < 130_000; i++) lines.push(`allowed_ip=10.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}/32`)
    const text = `${lines.join('\n')}\n`
    // Of this process alone: what else the machine does is no matter.
    const started = process.cpuUsage()
    const result = parseUapiSet(text)
    if (!result.ok) throw new Error('refused')
    const device = new Device({
      crypto: nodeCrypto,
      memory: nodeCrypto.createMemory(4096, 2048),
      random: bytes => void crypto.getRandomValues(bytes),
      sink: { sendDatagram() {}, deliverPacket() {}, report() {} },
    })
    const [peer] = result.set.peers
    device.setPeer({ publicKey: peer!.publicKey, allowedIps: peer!.allowedIps }, 0)
    const { user, system } = process.cpuUsage(started)
    const took = (user + system) / 1000
    expect(device.peer(peer!.publicKey)?.allowedIps.length).toBe(130_000)
    expect(took).toBeLessThan(1500)
  })
})

describe('the text of get=1', () => {
  const status: UapiStatus = {
    privateKey: new Uint8Array(32).fill(0xff),
    listenPort: 51820,
    fwmark: 0,
    peers: [
      {
        publicKey: new Uint8Array(32).fill(2),
        presharedKey: new Uint8Array(32),
        endpoint: { address: Uint8Array.of(192, 0, 2, 1), port: 4 },
        lastHandshake: 1_700_000_000_123,
        rxBytes: 92,
        txBytes: 148,
        persistentKeepalive: 25,
        allowedIps: [parsePrefix('10.0.0.0/8')!, parsePrefix('fd00::/64')!],
      },
      {
        publicKey: new Uint8Array(32).fill(3),
        presharedKey: new Uint8Array(32).fill(4),
        lastHandshake: 0,
        rxBytes: 0,
        txBytes: 0,
        persistentKeepalive: 0,
        allowedIps: [],
      },
    ],
  }

  it('has the clamped private key and every peer, as wg reads it (W28)', () => {
    expect(formatUapiStatus(status).split('\n')).toEqual([
      `private_key=f8${'ff'.repeat(30)}7f`,
      'listen_port=51820',
      `public_key=${'02'.repeat(32)}`,
      `preshared_key=${'00'.repeat(32)}`,
      'protocol_version=1',
      'endpoint=192.0.2.1:4',
      'last_handshake_time_sec=1700000000',
      'last_handshake_time_nsec=123000000',
      'tx_bytes=148',
      'rx_bytes=92',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.0.0/8',
      'allowed_ip=fd00::/64',
      `public_key=${'03'.repeat(32)}`,
      `preshared_key=${'04'.repeat(32)}`,
      'protocol_version=1',
      'last_handshake_time_sec=0',
      'last_handshake_time_nsec=0',
      'tx_bytes=0',
      'rx_bytes=0',
      'persistent_keepalive_interval=0',
      '',
    ])
  })

  it('reads back to the same status (W28)', () => {
    const { privateKey: _, ...rest } = status
    expect(parseUapiStatus(`${formatUapiStatus(rest)}errno=0\n\n`)).toEqual(rest)
  })

  it('an error, or what is no status, is none', () => {
    expect(parseUapiStatus('errno=-5\n\n')).toBeUndefined()
    expect(parseUapiStatus('HTTP/1.1 400 Bad Request\r\n')).toBeUndefined()
  })
})
