// The backend in WebAssembly SIMD: transport messages are sealed and opened in place in the packet memory, which is the module's
// own memory. Its source is assembly/. What handshakes need comes from another backend.
import { createPacketMemory, type PacketMemory } from '../../../core/base/packet-memory.js'
import { expectLength } from '../../../core/crypto/bytes.js'
import { type Crypto, type TransportKey, tagLength } from '../../../core/crypto/crypto.js'
import { TunnelError } from '../../../errors.js'
import { wasm } from './generated/module.js'

type KeyWords = readonly [number, number, number, number, number, number, number, number]

/** Words travel as signed numbers: others would be put on the heap for the call. */
type Crypt<Result> = (offset: number, length: number, counterHi: number, counterLo: number, ...key: KeyWords) => Result

interface Functions {
  /** Of `length` bytes of plaintext. */
  readonly seal: Crypt<void>
  /** Of `length` bytes of plaintext, with the tag behind them; 0 if they are not genuine. */
  readonly open: Crypt<number>
  readonly onesSum: (offset: number, length: number) => number
}

/** As much of WebAssembly as is used here; its types are the DOM's. It is not there under `node --jitless`. */
interface WebAssemblyApi {
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: { env: Record<string, unknown> }) => { readonly exports: unknown }
}

const pageBytes = 65_536

/** The compiled module, for any number of memories. */
export class SimdModule {
  readonly #api: WebAssemblyApi
  readonly #module: object
  readonly #functions = new WeakMap<PacketMemory, Functions>()

  private constructor(api: WebAssemblyApi) {
    this.#api = api
    this.#module = new api.Module(Buffer.from(wasm, 'base64'))
    // Each memory takes some GiB of address space, though no more of the memory than is used: that may be forbidden.
    this.#createMemory(1)
  }

  /** The module, or why there is none: WebAssembly, its SIMD, or room for its memory may be missing. */
  static load(): SimdModule | Error {
    const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi }
    if (WebAssembly === undefined) return new Error('this runtime has no WebAssembly')
    try {
      return new SimdModule(WebAssembly)
    } catch (cause) {
      return cause as Error
    }
  }

  /** Throws CRYPTO_UNAVAILABLE if no address space is left. The memory never grows, so its buffer stays the same. */
  createMemory(bytes: number, slotSize: number): PacketMemory {
    const scratch = Math.ceil(bytes / 16) * 16
    const memory = this.#reserve(Math.ceil((scratch + scratchBytes(slotSize)) / pageBytes))
    const { exports } = new this.#api.Instance(this.#module, { env: { memory, scratch } })
    const functions = exports as Functions
    const packetMemory = createPacketMemory(memory.buffer, slotSize, 0, bytes, functions.onesSum)
    this.#functions.set(packetMemory, functions)
    return packetMemory
  }

  /** Throws if `memory` was not made by this module. */
  functionsOf(memory: PacketMemory): Functions {
    const functions = this.#functions.get(memory)
    if (functions === undefined) throw new Error("packet memory that is not the crypto backend's own")
    return functions
  }

  #reserve(pages: number): { readonly buffer: ArrayBuffer } {
    try {
      return this.#createMemory(pages)
    } catch (cause) {
      throw simdUnavailable(cause as Error)
    }
  }

  #createMemory(pages: number): { readonly buffer: ArrayBuffer } {
    return new this.#api.Memory({ initial: pages, maximum: pages })
  }
}

export function simdUnavailable(cause: Error): TunnelError {
  return new TunnelError(
    'CRYPTO_UNAVAILABLE',
    `the crypto backend 'simd' cannot run here (${cause.message}): leave the choice to tunless, or use 'node' or 'noble'`,
    { cause },
  )
}

/** What assembly/scratch.ts asks for behind the slots: keystream comes in groups of four blocks, of which one is no packet's. */
function scratchBytes(slotSize: number): number {
  return 32 + Math.ceil((64 + slotSize) / 256) * 256 + 16
}

/** What is not the transport's is done by `others`. */
export function createSimdCrypto(module: SimdModule, others: Crypto): Crypto {
  return {
    ...others,
    name: 'simd',
    createMemory: (bytes, slotSize) => module.createMemory(bytes, slotSize),
    transportKey: key => new SimdTransportKey(module, key),
  }
}

/**
 * The key stays outside of the packet memory, and goes into each call as eight numbers: nothing that reads or writes a
 * packet amiss can come by it, and any number of keys may live.
 */
class SimdTransportKey implements TransportKey {
  readonly #module: SimdModule
  readonly #words = new Int32Array(new ArrayBuffer(32)) // so that the garbage collector never moves, and so copies, it
  #isWiped = false
  #memory: PacketMemory | undefined
  #functions: Functions | undefined

  constructor(module: SimdModule, key: Uint8Array) {
    expectLength(key, 32, 'a transport key')
    this.#module = module
    const view = new DataView(key.buffer, key.byteOffset, 32)
    for (let i = 0; i < 8; i++) this.#words[i] = view.getInt32(4 * i, true)
  }

  seal(memory: PacketMemory, offset: number, length: number, counterHi: number, counterLo: number): void {
    if (this.#isWiped) throw new Error('the key was wiped')
    const k = this.#words as unknown as KeyWords
    const { seal } = this.#functionsOf(memory)
    seal(offset, length, counterHi | 0, counterLo | 0, k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7])
  }

  open(memory: PacketMemory, offset: number, length: number, counterHi: number, counterLo: number): boolean {
    if (this.#isWiped || length < tagLength) return false
    const k = this.#words as unknown as KeyWords
    const { open } = this.#functionsOf(memory)
    const hi = counterHi | 0
    const lo = counterLo | 0
    return open(offset, length - tagLength, hi, lo, k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7]) !== 0
  }

  wipe(): void {
    this.#isWiped = true
    this.#words.fill(0)
  }

  #functionsOf(memory: PacketMemory): Functions {
    if (memory !== this.#memory) {
      this.#functions = this.#module.functionsOf(memory)
      this.#memory = memory
    }
    return this.#functions as Functions
  }
}
