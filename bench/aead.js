// What sealing and opening a transport message costs on each crypto backend, and how they compare: aead.js [--seconds N].
// The backends take turns, batch by batch, so that a busy machine is as busy for each. First every backend's results are
// compared with vectors/.
import { selectCrypto } from '../dist/node/crypto/select.js'
import { checkBackend } from './checks.js'

const at = process.argv.indexOf('--seconds')
const seconds = at < 0 ? 4 : Number(process.argv[at + 1])
const sizes = [64, 576, 1420, 16384]
const names = ['simd', 'node', 'noble']
const slots = 32

const backends = names.map(name => selectCrypto(name))
for (const crypto of backends) console.log(`${crypto.name}: ${await checkBackend(crypto)} results as in vectors/`)

console.log('\nmicroseconds a message (median)')
console.log(['bytes', '', ...names, 'node/simd', 'noble/simd'].map(column).join(''))
for (const size of sizes) {
  const benches = backends.map(crypto => createBench(crypto, size))
  const until = performance.now() + (seconds * 1000) / sizes.length
  while (performance.now() < until) for (const bench of benches) bench.turn()
  for (const what of ['seal', 'open']) {
    const [simd, node, noble] = benches.map(bench => median(bench.results[what]))
    const figures = [simd, node, noble].map(us => us.toFixed(us < 10 ? 2 : 1))
    console.log([size, what, ...figures, (node / simd).toFixed(2), (noble / simd).toFixed(2)].map(column).join(''))
  }
}

/** A turn seals what is in every slot, then opens it again. */
function createBench(crypto, size) {
  const slotSize = Math.ceil((size + 32) / 16) * 16
  const memory = crypto.createMemory(slots * slotSize, slotSize)
  const offsets = Array.from({ length: slots }, () => memory.alloc() + 16)
  const key = crypto.transportKey(new Uint8Array(32).fill(7))
  const results = { seal: [], open: [] }
  let counter = 0
  const turn = () => {
    const first = counter
    let began = performance.now()
    for (const offset of offsets) key.seal(memory, offset, size, 0, counter++)
    results.seal.push(((performance.now() - began) * 1000) / slots)
    counter = first
    let genuine = 0
    began = performance.now()
    for (const offset of offsets) if (key.open(memory, offset, size + 16, 0, counter++)) genuine++
    results.open.push(((performance.now() - began) * 1000) / slots)
    if (genuine !== slots) throw new Error(`${crypto.name} does not open what it sealed`)
  }
  for (let i = 0; i < 200; i++) turn() // until it is compiled
  results.seal.length = 0
  results.open.length = 0
  return { turn, results }
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1]
}

function column(text) {
  return String(text).padStart(11)
}
