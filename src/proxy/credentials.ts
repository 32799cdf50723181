// Who may use a proxy: users with passwords, compared without telling by the time it takes what was right about a wrong one.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export type Users = Iterable<readonly [user: string, password: string]>

export interface Credentials {
  /** Takes as long for any user and password of the same lengths. */
  match(user: Uint8Array, password: Uint8Array): boolean
  /** From now on these; who is in stays. */
  replace(users: Users): void
}

/** Users and their passwords, both taken as UTF-8. */
export function createCredentials(users: Users): Credentials {
  const key = randomBytes(32)
  const digest = (user: Uint8Array, password: Uint8Array) =>
    createHmac('sha256', key).update(`${user.length}:`).update(user).update(password).digest()
  const digests = (all: Users) =>
    Array.from(all, ([user, password]) => digest(Buffer.from(user), Buffer.from(password)))
  let known = digests(users)
  return {
    replace(others) {
      known = digests(others)
    },
    match(user, password) {
      const given = digest(user, password)
      let found = false
      for (const one of known) if (timingSafeEqual(one, given)) found = true
      return found
    },
  }
}

/** Whether a Proxy-Authorization of the scheme Basic (RFC 7617) names one of them. */
export function matchBasic(credentials: Credentials, header: string | undefined): boolean {
  const [, token] = /^Basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header ?? '') ?? []
  if (token === undefined) return false
  const pair = Buffer.from(token, 'base64')
  const colon = pair.indexOf(0x3a)
  return colon >= 0 && credentials.match(pair.subarray(0, colon), pair.subarray(colon + 1))
}
