// Makes vectors/wireguard-protocol.json and vectors/wireguard-transport.json from fixed keys, by the white paper's formulas on noble's
// primitives: none of this project's own code, so that the tests compare two implementations. Prints nothing; without --write
// it fails if the files differ from what it makes.
import { readFileSync, writeFileSync } from 'node:fs'
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { blake2s } from '@noble/hashes/blake2.js'
import { hmac } from '@noble/hashes/hmac.js'

const empty = new Uint8Array(0)
const hex = bytes => Buffer.from(bytes).toString('hex')
const bytes = text => Uint8Array.from(Buffer.from(text, 'hex'))
const concat = (...parts) => Uint8Array.from(Buffer.concat(parts))

// The white paper's functions, section 5.4.
const HASH = input => blake2s(input)
const MAC = (key, input) => blake2s(input, { key, dkLen: 16 })
const HMAC = (key, input) => hmac(blake2s, key, input)
function KDF(n, key, input) {
  const t0 = HMAC(key, input)
  const outputs = []
  for (let i = 1; i <= n; i++) outputs.push(HMAC(t0, concat(outputs.at(-1) ?? empty, Uint8Array.of(i))))
  return outputs
}
function nonceOf(counter) {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter), true)
  return nonce
}
const AEAD = (key, counter, plaintext, additional) =>
  chacha20poly1305(key, nonceOf(counter), additional).encrypt(plaintext)
const XAEAD = (key, nonce, plaintext, additional) => xchacha20poly1305(key, nonce, additional).encrypt(plaintext)
const DH = (secret, publicKey) => x25519.getSharedSecret(secret, publicKey)

const fixed = (name, length = 32) => blake2s(Buffer.from(`tunless vectors: ${name}`), { dkLen: length })
function keyPair(name) {
  const secret = fixed(name)
  secret[0] &= 248
  secret[31] = (secret[31] & 127) | 64
  return { private: secret, public: x25519.getPublicKey(secret) }
}
const hexPair = pair => ({ private: hex(pair.private), public: hex(pair.public) })
function u32(value) {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value, true)
  return out
}

/** MAC1, and MAC2 under a cookie, behind a message. */
function withMacs(message, receiverPublic, cookie) {
  const mac1 = MAC(HASH(concat(Buffer.from('mac1----'), receiverPublic)), message)
  const covered = concat(message, mac1)
  return concat(covered, cookie === undefined ? new Uint8Array(16) : MAC(cookie, covered))
}

/** An IPv4 packet of protocol 253 (RFC 3692), and its zeros up to a multiple of 16. */
function packet(text, source, destination) {
  const body = Buffer.from(text)
  const header = bytes(`450000000000400040fd0000${source}${destination}`)
  new DataView(header.buffer).setUint16(2, 20 + body.length)
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += header[i] * 256 + header[i + 1]
  sum = (sum & 0xffff) + (sum >> 16)
  new DataView(header.buffer).setUint16(10, ~((sum & 0xffff) + (sum >> 16)) & 0xffff)
  return concat(header, body)
}
const pad = plaintext => concat(plaintext, new Uint8Array((16 - (plaintext.length % 16)) % 16))

function dataMessage(key, receiver, counter, plaintext) {
  const nonce = nonceOf(counter).subarray(4)
  return concat(bytes('04000000'), u32(receiver), nonce, AEAD(key, counter, pad(plaintext), empty))
}

function handshake(name, presharedKey) {
  const [si, sr, ei, er] = ['initiator', 'responder', 'initiator ephemeral', 'responder ephemeral'].map(keyPair)
  const [indexI, indexR] = [0x01020304, 0x0a0b0c0d]
  // 2026-01-01T00:00:00.5Z: 2^62 + 10 + Unix seconds, then nanoseconds floored to 2^24.
  const timestamp = new Uint8Array(12)
  const wall = 1767225600500
  new DataView(timestamp.buffer).setBigUint64(0, 2n ** 62n + 10n + BigInt(Math.floor(wall / 1000)))
  new DataView(timestamp.buffer).setUint32(8, Math.floor(500e6 / 2 ** 24) * 2 ** 24)

  const steps = []
  let [c, h, k] = [HASH(Buffer.from('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s')), empty, empty]
  const note = (step, values) =>
    steps.push({ step, ...Object.fromEntries(Object.entries(values).map(([key, value]) => [key, hex(value)])) })
  const mixHash = input => {
    h = HASH(concat(h, input))
  }
  const mixEphemeral = (step, publicKey) => {
    mixHash(publicKey)
    ;[c] = KDF(1, c, publicKey)
    note(step, { chainingKey: c, hash: h })
  }
  const mixShared = (step, secret, publicKey) => {
    const shared = DH(secret, publicKey)
    ;[c, k] = KDF(2, c, shared)
    note(step, { shared, chainingKey: c, key: k })
  }
  const seal = (step, plaintext) => {
    const sealed = AEAD(k, 0, plaintext, h)
    mixHash(sealed)
    note(step, { sealed, hash: h })
    return sealed
  }

  h = c
  mixHash(Buffer.from('WireGuard v1 zx2c4 Jason@zx2c4.com'))
  note('the identifier', { chainingKey: c, hash: h })
  mixHash(sr.public)
  note("the responder's static key", { hash: h })
  mixEphemeral('e', ei.public)
  mixShared('es', ei.private, sr.public)
  const encryptedStatic = seal("s: the initiator's static key", si.public)
  mixShared('ss', si.private, sr.public)
  const encryptedTimestamp = seal('the timestamp', timestamp)
  const initiationSteps = steps.splice(0)
  const initiationBody = concat(bytes('01000000'), u32(indexI), ei.public, encryptedStatic, encryptedTimestamp)
  const initiation = withMacs(initiationBody, sr.public)

  // The responder's cookie reply to it, and the very same initiation with the cookie (a real one has a new timestamp).
  const secret = fixed('cookie secret')
  const source = { address: 'c0000201', port: 51820 }
  const cookie = MAC(secret, concat(bytes(source.address), Uint8Array.of(source.port >> 8, source.port & 255)))
  const nonce = fixed('cookie nonce', 24)
  const cookieKey = HASH(concat(Buffer.from('cookie--'), sr.public))
  const mac1 = initiation.subarray(116, 132)
  const reply = concat(bytes('03000000'), u32(indexI), nonce, XAEAD(cookieKey, nonce, cookie, mac1))

  mixEphemeral('e', er.public)
  mixShared('ee', er.private, ei.public)
  mixShared('se', er.private, si.public)
  const [chainingKey, tau, key] = KDF(3, c, presharedKey)
  ;[c, k] = [chainingKey, key]
  mixHash(tau)
  note('psk', { chainingKey: c, tau, key: k, hash: h })
  const encryptedNothing = seal('nothing', empty)
  const responseBody = concat(bytes('02000000'), u32(indexR), u32(indexI), er.public, encryptedNothing)
  const response = withMacs(responseBody, si.public)

  const [initiators, responders] = KDF(2, c, empty)
  const [there, back] = [
    packet('from the initiator', '0a000001', '0a000002'),
    packet('from the responder', '0a000002', '0a000001'),
  ]
  return {
    keys: { si, sr, initiators, responders, indexI, indexR },
    vector: {
      name,
      initiator: { static: hexPair(si), ephemeral: hexPair(ei), index: indexI },
      responder: { static: hexPair(sr), ephemeral: hexPair(er), index: indexR },
      presharedKey: hex(presharedKey),
      wallClock: wall,
      timestamp: hex(timestamp),
      initiation: { steps: initiationSteps, message: hex(initiation) },
      cookie: {
        secret: hex(secret),
        source,
        nonce: hex(nonce),
        cookie: hex(cookie),
        message: hex(reply),
        initiation: hex(withMacs(initiationBody, sr.public, cookie)),
      },
      response: { steps, message: hex(response) },
      transportKeys: { initiator: hex(initiators), responder: hex(responders) },
      data: [
        { from: 'initiator', counter: 0, packet: '', message: hex(dataMessage(initiators, indexR, 0, empty)) },
        { from: 'initiator', counter: 1, packet: hex(there), message: hex(dataMessage(initiators, indexR, 1, there)) },
        { from: 'responder', counter: 0, packet: hex(back), message: hex(dataMessage(responders, indexI, 0, back)) },
      ],
    },
  }
}

const made = 'made by scripts/make-vectors.js from fixed keys; vectors/README.md says how they were checked'
const plain = handshake('without a preshared key', new Uint8Array(32))
const withPsk = handshake('with a preshared key', fixed('preshared key'))

const counters = [0n, 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 60n, 2n ** 64n - 2n ** 13n - 2n]
const { initiators, indexR } = plain.keys
const at = counter => {
  const inner = packet(`counter ${counter}`, '0a000001', '0a000002')
  return { counter: `${counter}`, packet: hex(inner), message: hex(dataMessage(initiators, indexR, counter, inner)) }
}

const files = {
  'wireguard-protocol': {
    source:
      `WireGuard's white paper (https://www.wireguard.com/papers/wireguard.pdf), sections 5.4.2 to 5.4.7, in its own formulas; ${made}. ` +
      'All values are hexadecimal but for indices, ports, counters and wallClock (ms since 1970), which are numbers.',
    vectors: [plain.vector, withPsk.vector],
  },
  'wireguard-transport': {
    source:
      `WireGuard's white paper (https://www.wireguard.com/papers/wireguard.pdf), section 5.4.6; ${made}. The key is that of the ` +
      'initiator in the first vector of wireguard-protocol.json. Counters are decimal, as a JSON number ends at 2^53.',
    key: hex(initiators),
    receiver: indexR,
    accepted: counters.map(at),
    // REJECT_AFTER_MESSAGES and the greatest counter there is: sealed as they should be, and not to be accepted.
    refused: [2n ** 64n - 2n ** 13n - 1n, 2n ** 64n - 1n].map(at),
  },
}

for (const [name, content] of Object.entries(files)) {
  const url = new URL(`../vectors/${name}.json`, import.meta.url)
  const text = `${JSON.stringify(content, null, 2)}\n`
  if (process.argv.includes('--write')) writeFileSync(url, text)
  else if (readFileSync(url, 'utf8') !== text) throw new Error(`vectors/${name}.json is not what this script makes`)
}
