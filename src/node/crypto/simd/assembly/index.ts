// What the WebAssembly module exports. AssemblyScript: TypeScript's syntax, compiled by scripts/build-wasm.js.
export { open, seal } from './aead'
export { onesSum } from './sum'
