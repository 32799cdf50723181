// Opens the tunnel, in the background, and says where its proxy is.
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { input, lines, tunless } from './tunless.mjs'

const folder = mkdtempSync(join(process.env.RUNNER_TEMP, 'tunnel-'))
const file = name => join(folder, name)
// Before anything can fail: the post step removes what lies there.
appendFileSync(process.env.GITHUB_STATE, `folder=${folder}\n`)

// Whoever runs on this host reaches the port, so it asks who is there.
const password = randomBytes(16).toString('hex')
process.stdout.write(`::add-mask::${password}\n`)
writeFileSync(file('users'), `job:${password}\n`, { mode: 0o600 })

const up = ['up', '--detach', '-D', '0', '--auth-file', file('users'), '--timeout', input('timeout')]
for (const forward of lines('forwards')) up.push('-L', forward)
up.push('--ready-file', file('ready.json'), '--connection-log', file('connections.jsonl'))
tunless(up)

const ready = JSON.parse(readFileSync(file('ready.json'), 'utf8'))
const { host, port } = ready.listeners.find(listener => listener.type === 'proxy')
appendFileSync(process.env.GITHUB_OUTPUT, `proxy=http://job:${password}@${host}:${port}\n`)

// A `run` beside it joins the tunnel.
const targets = lines('wait').flatMap(target => ['--wait', target])
if (targets.length > 0) tunless(['run', '-q', '--timeout', input('timeout'), ...targets, process.execPath, '--version'])
