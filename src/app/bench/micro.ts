// What each packet and each handshake costs beside the AEAD: X25519, BLAKE2s, MACs, whole handshakes, the replay window,
// AllowedIPs, checksums and TCP segments.
import type { Crypto } from '../../core/crypto/crypto.js'
import { onesSum, sumIsValid } from '../../core/wire/checksum.js'
import { ReplayWindow } from '../../core/wireguard/replay.js'
import { backends } from './aead.js'
import { allowedIpsTasks } from './allowed-ips.js'
import { checkHandshake, createHandshake } from './handshake.js'
import type { Suite } from './report.js'
import { segmentTasks } from './segments.js'
import { type Expect, type Task, timeTasks } from './tasks.js'
import { checkAead, checkHash, checkMac, checkX25519, halves, hex, slowSum, transportVectors } from './vectors.js'

const checksumLength = 1400
/** Of an initiation, before its MACs. */
const macLength = 116
/** The two hashes of a handshake's MixHash: 32 bytes of hash, 32 of a key. */
const hashLength = 64

export const microSuite: Suite = {
  name: 'micro',
  async run(recorder) {
    // A backend that is made of another one comes after it: what it has from there is measured once.
    const all = backends(recorder, 'micro').sort((a, b) => rank(a) - rank(b))
    await timeTasks(microTasks(all), recorder)
  },
}

function rank(crypto: Crypto): number {
  return ['node', 'noble', 'simd'].indexOf(crypto.name)
}

/** With all backends that there are, the last of them the fastest. */
export function microTasks(all: readonly Crypto[]): Task[] {
  const segments = segmentTasks(all.at(-1) as Crypto)
  return [...cryptoTasks(all), replayTask(), ...all.flatMap(checksumTasks), ...allowedIpsTasks(), ...segments]
}

/** Of each backend, what it does not have from one before it. */
export function cryptoTasks(all: readonly Crypto[]): Task[] {
  const isNew = (crypto: Crypto, ...parts: (keyof Crypto)[]) => {
    const before = all.slice(0, all.indexOf(crypto))
    return parts.some(part => before.every(other => other[part] !== crypto[part]))
  }
  return all.flatMap(crypto => [
    ...(isNew(crypto, 'dh') ? [x25519Task(crypto)] : []),
    ...(isNew(crypto, 'hash') ? [hashTask(crypto)] : []),
    ...(isNew(crypto, 'macKey') ? [macTask(crypto)] : []),
    ...(isNew(crypto, 'dh', 'hash', 'hmac', 'seal', 'open') ? [handshakeTask(crypto)] : []),
  ])
}

function x25519Task(crypto: Crypto): Task {
  const privateKey = crypto.privateKey(new Uint8Array(32).fill(5))
  const { publicKey } = crypto.privateKey(new Uint8Array(32).fill(6))
  return {
    id: `micro/x25519/${crypto.name}`,
    operations: 1,
    check: expect => checkX25519(crypto, expect),
    run: () => void crypto.dh(privateKey, publicKey),
  }
}

function hashTask(crypto: Crypto): Task {
  const input = new Uint8Array(hashLength).fill(2)
  return {
    id: `micro/blake2s-${hashLength}/${crypto.name}`,
    operations: 16,
    check: expect => checkHash(crypto, expect),
    run() {
      for (let i = 0; i < 16; i++) crypto.hash(input)
      return undefined
    },
  }
}

function macTask(crypto: Crypto): Task {
  const mac = crypto.macKey(new Uint8Array(32).fill(3))
  const bytes = new Uint8Array(macLength + 16)
  return {
    id: `micro/mac-${macLength}/${crypto.name}`,
    operations: 16,
    check: expect => checkMac(crypto, expect),
    run() {
      for (let i = 0; i < 16; i++) mac.compute(bytes, 0, macLength, bytes, macLength)
      return undefined
    },
  }
}

function handshakeTask(crypto: Crypto): Task {
  let shake: (() => void) | undefined
  return {
    id: `micro/handshake/${crypto.name}`,
    operations: 1,
    check(expect) {
      checkAead(crypto, expect)
      checkHandshake(crypto, expect)
    },
    run() {
      shake ??= createHandshake(crypto)
      shake()
      return undefined
    },
  }
}

/** Counters in order, as almost all come. */
function replayTask(): Task {
  const window = new ReplayWindow()
  let counter = 0
  return {
    id: 'micro/replay-window/tunless',
    operations: 1024,
    check: checkReplay,
    run() {
      let taken = 0
      for (let i = 0; i < 1024; i++) if (window.mayAccept(0, counter) && window.accept(0, counter++)) taken++
      if (taken !== 1024) throw new Error('a counter was taken for a replay')
      return undefined
    },
  }
}

function checkReplay(expect: Expect): void {
  const { accepted, refused } = transportVectors()
  const window = new ReplayWindow()
  for (const { counter } of accepted) {
    expect(`whether ${counter} is taken`, window.accept(...halves(counter)), true)
    expect(`whether ${counter} is taken twice`, window.accept(...halves(counter)), false)
  }
  for (const { counter } of refused) expect(`whether ${counter} is taken`, window.accept(...halves(counter)), false)
  expect('whether one long past is taken', window.accept(0, 3), false)
}

function checksumTasks(crypto: Crypto): Task[] {
  if (crypto.name === 'noble') return [] // its memory is node's
  const memory = crypto.createMemory(65536, 16384)
  const slot = memory.alloc()
  for (let i = 0; i < 2 * checksumLength; i++) memory.u8[slot + i] = (i * 151) % 256
  return [
    {
      id: `micro/checksum-${checksumLength}/${crypto.name}`,
      operations: 64,
      check(expect) {
        for (const { packet } of transportVectors().accepted) {
          memory.u8.set(hex(packet), slot)
          expect("whether an IP header's checksum is right", sumIsValid(onesSum(memory, slot, 20)), true)
          memory.u8[slot + 8] = 1
          expect("whether another header's is", sumIsValid(onesSum(memory, slot, 20)), false)
        }
        for (const length of [0, 1, 2, 3, 20, 21, 1399, checksumLength])
          for (const at of [0, 1, 2, 3, 20])
            expect(
              `the sum of ${length} bytes`,
              onesSum(memory, slot + at, length),
              slowSum(memory.u8, slot + at, length),
            )
      },
      run() {
        for (let i = 0; i < 64; i++) onesSum(memory, slot + 20, checksumLength)
        return undefined
      },
    },
  ]
}
