// Exim on port 587, with STARTTLS, and 465, with TLS: it asks for a password, and keeps what it takes in one mailbox.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../process.js'
import { account, ownFolder, type Site, startAsNobody } from './unprivileged.js'

/** Returns the path of the mailbox. */
export async function startExim(site: Site): Promise<string> {
  const folder = join(site.folder, 'exim')
  const mailbox = join(folder, 'mailbox')
  const log = join(folder, 'mainlog')
  ownFolder(site, 'exim', { 'exim.conf': configuration(site, folder, mailbox) })
  await site.host.must('sysctl', ['-qw', 'net.ipv4.ip_unprivileged_port_start=0'])
  const server = startAsNobody(site, folder, 'exim4', ['-bdf', '-C', join(folder, 'exim.conf')])
  await until('exim', () => {
    if (server.child.exitCode !== null) throw new Error(`exim ended: ${server.stderr}`)
    return existsSync(log) && readFileSync(log, 'utf8').includes('listening for SMTP')
  })
  return mailbox
}

function configuration(site: Site, folder: string, mailbox: string): string {
  return `
keep_environment =
exim_user = nobody
exim_group = nogroup
deliver_drop_privilege = true
primary_hostname = mail.internal
spool_directory = ${folder}
log_file_path = ${folder}/%slog
local_interfaces = ${site.address}
daemon_smtp_ports = 587 : 465
tls_on_connect_ports = 465
tls_certificate = ${site.certificate}
tls_privatekey = ${site.key}
tls_advertise_hosts = *
auth_advertise_hosts = \${if eq {$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = recipient

begin acl
recipient:
  accept authenticated = *
  deny

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq {$auth2}{${account.user}}}{eq {$auth3}{${account.password}}}}}
  server_set_id = $auth2

begin routers
all:
  driver = accept
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  file = ${mailbox}
  user = nobody
  group = nogroup
`
}
