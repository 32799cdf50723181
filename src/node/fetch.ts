// tunnel.fetch: undici's fetch, never the runtime's, which may be one that knows no dispatcher and would leave by the host's
// network. undici is loaded at the first call.
import type { Agent, RequestInit as UndiciInit, RequestInfo as UndiciInput } from 'undici'
import { TunnelError } from '../errors.js'
import type { Connector } from './connector.js'

type Fetch = typeof globalThis.fetch
type Undici = typeof import('undici')

export interface TunnelFetch {
  readonly fetch: Fetch
  /** Requests under way fail with the reason, and so do later ones. */
  close(reason: Error): void
}

export function createFetch(connector: Connector): TunnelFetch {
  let loading: Promise<{ undici: Undici; dispatcher: Agent }> | undefined
  let closed: Error | undefined

  async function load() {
    const undici = await import('undici')
    const dispatcher = new undici.Agent({ connect: connector })
    if (closed !== undefined) void dispatcher.destroy(closed)
    return { undici, dispatcher }
  }

  return {
    async fetch(input, init) {
      if (init !== undefined && 'dispatcher' in init) {
        throw new TunnelError(
          'USAGE',
          "dispatcher: tunnel.fetch has its own; give undici's fetch one made with `connect: tunnel.connector()`",
        )
      }
      loading ??= load()
      const { undici, dispatcher } = await loading
      if (closed !== undefined) throw new TypeError('fetch failed', { cause: closed })
      const own = ownInit(undici, init)
      const response = await undici.fetch(ownInput(undici, input), { ...own, dispatcher })
      return response as unknown as Response
    },
    close(reason) {
      closed = reason
      loading?.then(({ dispatcher }) => dispatcher.destroy(reason)).catch(() => {})
    },
  }
}

/** undici knows its own classes alone: the runtime's Request is read into one of them … */
function ownInput(undici: Undici, input: Parameters<Fetch>[0]): UndiciInput {
  if (!(input instanceof globalThis.Request)) return input as UndiciInput
  const { url, method, headers, body, redirect, signal, integrity, keepalive } = input
  const init = { method, headers: [...headers], body, redirect, signal, integrity, keepalive }
  return new undici.Request(url, { ...init, ...(body !== null && { duplex: 'half' }) } as unknown as UndiciInit)
}

/** … and so is its FormData. */
function ownInit(undici: Undici, init: Parameters<Fetch>[1]): UndiciInit {
  const body = init?.body
  if (!(body instanceof globalThis.FormData)) return { ...init } as unknown as UndiciInit
  const form = new undici.FormData()
  for (const [name, value] of body as unknown as Iterable<[string, string | File]>) {
    if (typeof value === 'string') form.append(name, value)
    else form.append(name, value, value.name)
  }
  return { ...init, body: form } as unknown as UndiciInit
}
