// The file of --auth-file: who may use the proxy, a line `user:password` for each.
import { TunnelError } from '../errors.js'
import { readSecretFile } from '../node/load-config.js'

/** Users of one file. */
const mostUsers = 1024
/** Bytes of a user and of a password: RFC 1929 has a byte for each length. */
const longest = 255

/** Rejects with CONFIG_UNREADABLE or CONFIG_INVALID, which never show a password. `warn` hears of a file that others can read. */
export async function readAuthFile(path: string, warn: (message: string) => void): Promise<Map<string, string>> {
  return parseAuthFile(await readSecretFile(path, warn), path)
}

/** Empty lines are skipped, and those that begin with `#`. */
export function parseAuthFile(text: string, path: string): Map<string, string> {
  const users = new Map<string, string>()
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const refuse = (why: string) => new TunnelError('CONFIG_INVALID', `${path}:${index + 1}: ${why}`)
    const colon = line.indexOf(':')
    if (colon < 0) throw refuse('there is no colon: write user:password')
    const user = line.slice(0, colon)
    const password = line.slice(colon + 1)
    if (user === '' || password === '') throw refuse('the user or the password is empty: write user:password')
    if (Buffer.byteLength(user) > longest || Buffer.byteLength(password) > longest) {
      throw refuse(`the user or the password is longer than ${longest} bytes, which SOCKS5 cannot carry: shorten it`)
    }
    if (/\p{Cc}/u.test(line)) throw refuse('there is a control character: remove it')
    if (users.has(user)) throw refuse(`the user ${JSON.stringify(user)} is there twice: remove one of the lines`)
    users.set(user, password)
    if (users.size > mostUsers) throw refuse(`there are more than ${mostUsers} users: shorten the file`)
  }
  if (users.size === 0) throw new TunnelError('CONFIG_INVALID', `${path}: there is no user: write lines user:password`)
  return users
}
