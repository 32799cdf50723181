// Ends the tunnel, and adds what passed through it to the job's summary.
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tunless } from './tunless.mjs'

const folder = process.env.STATE_folder
if (folder) {
  // The ready file is there as long as the tunnel is.
  if (existsSync(join(folder, 'ready.json'))) tunless(['down'])
  const log = join(folder, 'connections.jsonl')
  if (existsSync(log)) appendFileSync(process.env.GITHUB_STEP_SUMMARY, summary(readFileSync(log, 'utf8')))
  rmSync(folder, { recursive: true, force: true })
}

function summary(log) {
  const totals = new Map()
  for (const line of log.split('\n').filter(Boolean)) {
    const { way, target, result, bytesSent, bytesReceived } = JSON.parse(line)
    if (result === undefined) continue // a note about lost lines
    if (way === 'join' && bytesSent + bytesReceived === 0) continue // main.mjs has waited for it
    const key = `${cell(target)} | ${result}`
    const total = totals.get(key) ?? { count: 0, sent: 0, received: 0 }
    total.count++
    total.sent += bytesSent
    total.received += bytesReceived
    totals.set(key, total)
  }
  const rows = [...totals].map(([key, { count, sent, received }]) => `| ${key} | ${count} | ${sent} | ${received} |\n`)
  const head = '| Target | Result | Connections | Bytes sent | Bytes received |\n| --- | --- | --- | --- | --- |\n'
  return `### Tunnel\n\n${rows.length > 0 ? head + rows.join('') : 'No connections.\n'}\n`
}

/** A client may ask for any name. */
function cell(target) {
  return `\`${String(target).replaceAll(/[^\w.:[\]-]/g, '?')}\``
}
