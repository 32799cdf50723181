// profile.js FILE.cpuprofile [PACKETS]: where a process spent its time, by function, as `node --cpu-prof` saw it; with PACKETS,
// what that is for each packet. Self time is wall-clock time: on a busy machine a system call has others' turns in it.
import { readFileSync } from 'node:fs'

const shown = 25
const [file, packets] = process.argv.slice(2)
const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'))

const names = new Map(
  nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
    id,
    `${functionName || '(anonymous)'} ${url.replace(/^.*\/(dist|node_modules)\//, '')}:${lineNumber + 1}`,
  ]),
)
const self = new Map()
let busy = 0
for (const [i, id] of samples.entries()) {
  const name = names.get(id)
  if (name.startsWith('(idle)')) continue
  // A sample stands for the time until the next one.
  const us = timeDeltas[i + 1] ?? 0
  self.set(name, (self.get(name) ?? 0) + us)
  busy += us
}

console.log(`${(busy / 1e6).toFixed(2)} s not idle`)
for (const [name, us] of [...self].sort((a, b) => b[1] - a[1]).slice(0, shown)) {
  const each = packets === undefined ? '' : `${(us / Number(packets)).toFixed(3).padStart(8)} us`
  console.log(`${((100 * us) / busy).toFixed(1).padStart(6)} %${each}  ${name}`)
}
