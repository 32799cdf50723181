// Data on stdout. Who reads it may leave early (`| head -1`), which is no error of ours; a disk that is full is.
import { createLog } from './log.js'

let listens = false

export function print(text: string): void {
  if (!listens) {
    listens = true
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return
      createLog('normal').error(`cannot write standard output (${error.code ?? error.message})`)
      process.exit(1)
    })
  }
  process.stdout.write(text)
}
