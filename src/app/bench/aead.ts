// ChaCha20-Poly1305 as transport messages need it, by whoever can do it: sealing and opening at four sizes, by turns.
import type { Crypto } from '../../core/crypto/crypto.js'
import { type CryptoName, selectCrypto } from '../../node/crypto/select.js'
import type { Recorder, Suite } from './report.js'
import { type Expect, type Task, timeTasks } from './tasks.js'
import { checkAead, checkTransport } from './vectors.js'

const sizes = [64, 576, 1420, 16384]
/** Messages in one run: their bytes stay in the cache, as a turn's do. */
const messages = 32
const backendNames: readonly CryptoName[] = ['simd', 'node', 'noble']

/** Somebody's ChaCha20-Poly1305. */
export interface AeadCandidate {
  readonly name: string
  /** Against RFC 8439, and what else is published of it. */
  check(expect: Expect): void
  /** `count` places for messages of `size` bytes under one key; nonces are 4 zero bytes and the counter's 8. */
  prepare(key: Uint8Array, size: number, count: number): AeadPlaces
}

export interface AeadPlaces {
  /** Puts a plaintext there. */
  fill(index: number, plaintext: Uint8Array): void
  /** Seals what {@link fill} put there, or anything else of its size. */
  seal(index: number, counter: number): void
  /** Opens what the last {@link seal} of this place made, with the same counter; false if it is not genuine. */
  open(index: number, counter: number): boolean
  /** What the last call left there: the plaintext, or ciphertext and tag. */
  content(index: number): Uint8Array
}

/** Those that this runtime has; the others are skipped. */
export function backends(recorder: Recorder, suite: string): Crypto[] {
  return backendNames.flatMap(name => {
    try {
      return [selectCrypto(name)]
    } catch (error) {
      recorder.skip(`${suite}/${name}`, (error as Error).message)
      return []
    }
  })
}

/** A backend's transport keys, in place in its packet memory. */
export function backendCandidate(crypto: Crypto): AeadCandidate {
  return {
    name: crypto.name,
    check(expect) {
      checkAead(crypto, expect)
      checkTransport(crypto, expect)
    },
    prepare(key, size, count) {
      const slotSize = Math.ceil((size + 32) / 16) * 16
      const memory = crypto.createMemory(count * slotSize, slotSize)
      const offsets = Array.from({ length: count }, () => memory.alloc() + 16)
      const transport = crypto.transportKey(key)
      let length = size
      return {
        fill(index, plaintext) {
          memory.u8.set(plaintext, offsets[index])
        },
        seal(index, counter) {
          transport.seal(memory, offsets[index] as number, size, 0, counter)
          length = size + 16
        },
        open(index, counter) {
          length = size
          return transport.open(memory, offsets[index] as number, size + 16, 0, counter)
        },
        content(index) {
          const offset = offsets[index] as number
          return memory.u8.slice(offset, offset + length)
        },
      }
    },
  }
}

/** `others` are measured beside our own backends. */
export function createAeadSuite(others: readonly AeadCandidate[] = []): Suite {
  return {
    name: 'aead',
    async run(recorder) {
      const candidates = [...backends(recorder, 'aead').map(backendCandidate), ...others]
      recordRatios(await timeTasks(aeadTasks(candidates), recorder), candidates, recorder)
    },
  }
}

/** How many times as long as our fastest the others take, round by round: that holds on any machine, however busy. */
function recordRatios(
  rounds: ReadonlyMap<string, readonly number[]>,
  candidates: readonly AeadCandidate[],
  recorder: Recorder,
): void {
  const fastest = candidates[0]?.name
  for (const [id, values] of rounds) {
    const [suite, what, who] = id.split('/')
    const least = rounds.get(`${suite}/${what}/${fastest}`)
    if (who === fastest || least === undefined) continue
    const ratios = values.map((value, round) => value / (least[round] as number))
    recorder.add(`${suite}/${what}-by-${fastest}/${who}`, ratios, 'x', 'higher')
  }
}

/** Every candidate at every size, sealing and opening. */
export function aeadTasks(candidates: readonly AeadCandidate[]): Task[] {
  return sizes.flatMap(size =>
    (['seal', 'open'] as const).flatMap(what => candidates.map(candidate => aeadTask(candidate, size, what))),
  )
}

function aeadTask(candidate: AeadCandidate, size: number, what: 'seal' | 'open'): Task {
  const key = new Uint8Array(32).fill(7)
  let made: AeadPlaces | undefined
  const places = () => {
    made ??= candidate.prepare(key, size, messages)
    return made
  }
  let counter = 0
  return {
    id: `aead/${what}-${size}/${candidate.name}`,
    operations: messages,
    check(expect) {
      candidate.check(expect)
      checkSize(places(), key, size, expect)
    },
    run() {
      const { seal, open } = places()
      const first = counter
      counter += messages
      let began = performance.now()
      for (let i = 0; i < messages; i++) seal(i, first + i)
      if (what === 'seal') return performance.now() - began
      let genuine = 0
      began = performance.now()
      for (let i = 0; i < messages; i++) if (open(i, first + i)) genuine++
      const took = performance.now() - began
      if (genuine !== messages) throw new Error(`${candidate.name} does not open what it sealed`)
      return took
    },
  }
}

/** At the size that is timed, against the reference, which itself is held to RFC 8439. */
function checkSize(places: AeadPlaces, key: Uint8Array, size: number, expect: Expect): void {
  const reference = selectCrypto('noble')
  checkAead(reference, expect)
  const nonce = new Uint8Array(12)
  for (let i = 0; i < messages; i++) {
    const plaintext = Uint8Array.from({ length: size }, (_, at) => (at * 7 + i) % 251)
    new DataView(nonce.buffer).setUint32(4, i, true)
    const sealed = Buffer.from(reference.seal(key, nonce, plaintext, new Uint8Array(0))).toString('hex')
    places.fill(i, plaintext)
    places.seal(i, i)
    expect(`what ${size} bytes are sealed to`, places.content(i), sealed)
    expect(`whether ${size} bytes are genuine`, places.open(i, i), true)
    expect(`what ${size} bytes are opened to`, places.content(i), Buffer.from(plaintext).toString('hex'))
  }
  places.seal(0, 1)
  expect('whether another counter opens it', places.open(0, 2), false)
}
