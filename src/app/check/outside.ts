// What this host's own resolver says, for endpoints, and for names of the tunnel that should not be known out there.
import { isIP } from 'node:net'

/** ms; a resolver that is slower than this is as good as none. */
const patience = 5000

/** Addresses of a name outside the tunnel. Rejects with the resolver's error, EAI_AGAIN where it takes too long. */
export type Outside = (name: string) => Promise<readonly string[]>

export const askSystem: Outside = async name => {
  if (isIP(name) !== 0) return [name]
  const { lookup } = await import('node:dns/promises')
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error(`getaddrinfo EAI_AGAIN ${name}`), { code: 'EAI_AGAIN' }))
    }, patience)
  })
  try {
    const found = await Promise.race([lookup(name, { all: true, verbatim: true }), late])
    return found.map(({ address }) => address)
  } finally {
    clearTimeout(timer)
  }
}
