// The near side of the macro benchmark, a process of its own: `tunless up` with a SOCKS5 proxy, which tells what it used. Its
// configuration is in the environment, as a job has it.
import { up } from '../up.js'
import { serve } from './child.js'

export interface ClientOrder {
  readonly readyFile: string
}

serve(({ readyFile }: ClientOrder) => {
  const done = up({
    timeout: 10_000,
    level: 'quiet',
    proxies: [{ host: '127.0.0.1', port: 0 }],
    forwards: [],
    reverses: [],
    readyFile,
  })
  done.then(
    code => process.exit(code),
    (error: Error) => {
      process.stderr.write(`tunless: ${error.message}\n`)
      process.exit(1)
    },
  )
})
