// Micro benchmarks of what each packet and each handshake costs, on each crypto backend: run.js [--short]. First every backend's
// results are compared with vectors/: a wrong one ends the run, since its speed would mean nothing.
import { Bench } from 'tinybench'
import { onesSum } from '../dist/core/wire/checksum.js'
import { selectCrypto } from '../dist/node/crypto/select.js'
import { printAllowedIps } from './allowed-ips.js'
import { checkBackend, checkChecksum } from './checks.js'
import { createHandshake } from './handshake.js'
import { measureTransfer } from './transfer.js'

const short = process.argv.includes('--short')
const bench = new Bench({ time: short ? 100 : 1000, warmupTime: short ? 20 : 200, throws: true })
const packetLength = 1420

for (const name of ['simd', 'node', 'noble']) {
  const crypto = selectCrypto(name)
  const compared = await checkBackend(crypto)
  console.log(`${name}: ${compared} results as in vectors/`)

  const memory = crypto.createMemory(65536, 2048)
  const key = crypto.transportKey(new Uint8Array(32).fill(7))
  const [sealing, sealed, opening] = [memory.alloc(), memory.alloc(), memory.alloc()]
  let counter = 0
  key.seal(memory, sealed, packetLength, 0, 1)
  bench.add(`${name}: seal ${packetLength} B`, () => key.seal(memory, sealing, packetLength, 0, counter++))
  bench.add(`${name}: open ${packetLength} B`, () => {
    memory.u8.copyWithin(opening, sealed, sealed + packetLength + 16)
    if (!key.open(memory, opening, packetLength + 16, 0, 1)) throw new Error('not genuine')
  })
  const mac = crypto.macKey(new Uint8Array(32).fill(3))
  bench.add(`${name}: MAC1 of an initiation`, () => mac.compute(memory.u8, sealed, 116, memory.u8, sealing))
  const privateKey = crypto.privateKey(new Uint8Array(32).fill(5))
  const publicKey = crypto.privateKey(new Uint8Array(32).fill(6)).publicKey
  bench.add(`${name}: X25519`, () => void crypto.dh(privateKey, publicKey))
  bench.add(`${name}: handshake, both sides`, createHandshake(crypto))
}

const bytes = new ArrayBuffer(65536)
const memory = { u8: new Uint8Array(bytes), u32: new Uint32Array(bytes) }
for (let i = 0; i < memory.u8.length; i++) memory.u8[i] = (i * 151) % 256
console.log(`checksum: ${checkChecksum(memory)} sums as by RFC 1071's own loop`)
bench.add('checksum of 1400 B', () => void onesSum(memory, 20, 1400))

await bench.run()
console.log()
for (const { name, result } of bench.tasks) {
  const microseconds = result.latency.p50 * 1000
  console.log(`${name.padEnd(32)} ${microseconds.toFixed(microseconds < 10 ? 2 : 0).padStart(8)} us`)
}

const { megabytes, seconds, cpu } = await measureTransfer(short ? 32 : 512)
console.log(`\n${megabytes} MB from one tunnel to another in this process over loopback, SHA-256 equal:`)
console.log(
  `${((megabytes * 8) / seconds).toFixed(0)} Mbit/s, ${((cpu / megabytes) * 1000).toFixed(1)} CPU s/GB for both ends`,
)

console.log()
printAllowedIps()
