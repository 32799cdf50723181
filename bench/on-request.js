// Benchmarks that take minutes or need a process of their own: run by name alone. Each is a script with options of its own, whose
// text goes to standard error here, and whose figures are heard by IPC.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { paths } from './paths/paths.js'

/** `quick`: its arguments then; `some`: those that leave out what is not asked for. `failed`: it says so by its exit code. */
function scriptSuite(name, { quick, some = () => [] }, failed) {
  return {
    name,
    async run(recorder) {
      const args = [...(recorder.effort === 'quick' ? quick : []), ...some(recorder)]
      const child = fork(new URL(`./${name}.js`, import.meta.url), args, { stdio: ['ignore', 2, 2, 'ipc'] })
      child.on('message', ({ figures }) => {
        for (const { id, rounds, unit, better } of figures) recorder.add(`${name}/${id}`, rounds, unit, better)
      })
      const [code] = await once(child, 'close')
      if (code !== 0) failed(name)
    },
  }
}

export function onRequest(failed) {
  return [
    scriptSuite('idle', { quick: ['--connections', '2000'] }, failed),
    scriptSuite('live-socket', { quick: ['--rounds', '1'] }, failed),
    scriptSuite('flood', { quick: ['--seconds', '3'] }, failed),
    scriptSuite('paths', { quick: ['--seeds', '1', '--seconds', '2'], some: wantedPaths }, failed),
  ]
}

function wantedPaths(recorder) {
  return paths.filter(({ id }) => recorder.wants(`paths/${id}`)).flatMap(({ id }) => ['--only', id])
}
