// The keys that a tunnel holds: its own, and former ones for as long as others use the tunnel by their control sockets.
import { encodeKey } from '../core/base/base64.js'
import type { Claim } from './control.js'

/** Claims a public key for this tunnel. */
export type ClaimFor = (publicKey: Uint8Array) => Promise<Claim>

export class KeyClaims {
  readonly #claimFor: ClaimFor
  readonly #held = new Map<string, Claim>()
  #current: string
  #released = false

  constructor(publicKey: Uint8Array, claim: Claim, claimFor: ClaimFor) {
    this.#claimFor = claimFor
    this.#current = encodeKey(publicKey)
    this.#held.set(this.#current, claim)
  }

  /** Claims another key, and gives the others back once nobody uses them. Rejects with TUNNEL_KEY_IN_USE; the warning is the claim's. */
  async move(publicKey: Uint8Array): Promise<string | undefined> {
    const name = encodeKey(publicKey)
    let warning: string | undefined
    if (!this.#held.has(name)) {
      const claim = await this.#claimFor(publicKey)
      warning = claim.warning
      this.#held.set(name, claim)
      if (this.#released) await claim.release()
    }
    this.#current = name
    for (const [former, claim] of this.#held) if (former !== name) void this.#retire(former, claim)
    return warning
  }

  async #retire(name: string, claim: Claim): Promise<void> {
    await claim.idle()
    if (this.#current === name || this.#held.get(name) !== claim) return
    this.#held.delete(name)
    await claim.release()
  }

  /** Resolves when nobody else uses the tunnel. */
  async idle(): Promise<void> {
    const claims = () => [...this.#held.values()]
    while (claims().some(claim => claim.joined > 0)) await Promise.all(claims().map(claim => claim.idle()))
  }

  async release(): Promise<void> {
    this.#released = true
    await Promise.all([...this.#held.values()].map(claim => claim.release()))
  }
}
