// SSH and SFTP with ssh2: `sock` is the connection.
//   SSH_KEY=~/.ssh/deploy SSH_FINGERPRINT=SHA256:… node ssh2.js deploy.conf deploy@web1.internal:/srv/www/release.txt
// prints
//   web1.internal: release 1.2.3
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import ssh2 from 'ssh2'
import { openTunnel } from 'tunless'

const [conf, target] = process.argv.slice(2)
const [, username, host, path] = /^(.*)@(.*):(.*)$/.exec(target)
const fingerprint = key => `SHA256:${createHash('sha256').update(key).digest('base64').replace('=', '')}`

const tunnel = await openTunnel(conf)
const client = new ssh2.Client()
try {
  client.connect({
    sock: tunnel.connect({ host, port: 22 }),
    username,
    privateKey: readFileSync(process.env.SSH_KEY),
    hostVerifier: key => fingerprint(key) === process.env.SSH_FINGERPRINT, // as `ssh-keygen -l` prints it
  })
  await once(client, 'ready')
  const sftp = await promisify(client.sftp).call(client)
  await promisify(sftp.writeFile).call(sftp, path, 'release 1.2.3\n')
  const command = await promisify(client.exec).call(client, `cat '${path}'`)
  console.log(`${host}:`, (await text(command)).trim())
} finally {
  client.end()
  await tunnel.close()
}
