// Benchmarks that take minutes or need a process of their own: run by name alone. Each is a script with options of its own, whose
// text goes to standard error here, and whose figures are heard by IPC.
import { fork } from 'node:child_process'
import { once } from 'node:events'

/** `quick` and `full`: its arguments. `failed` is called where it says so by its exit code. */
function scriptSuite(name, { quick, full }, failed) {
  return {
    name,
    async run(recorder) {
      const args = recorder.effort === 'quick' ? quick : full
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
    scriptSuite('idle', { quick: ['--connections', '500'], full: [] }, failed),
    scriptSuite('live-socket', { quick: ['--rounds', '1'], full: [] }, failed),
    scriptSuite('flood', { quick: ['--seconds', '3'], full: [] }, failed),
    scriptSuite('paths', { quick: ['--seeds', '1', '--seconds', '2'], full: [] }, failed),
  ]
}
