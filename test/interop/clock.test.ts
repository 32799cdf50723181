// The wall clock, against wireguard-go: the time of day serves handshakes alone, and only forward.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeInterop, programFile } from '../support/interop.js'
import { createLink } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { installed } from '../support/tarball.js'

describeInterop('our clock, stepped back by an hour', () => {
  let network: Network
  beforeAll(async () => {
    network = await createNetwork()
  })
  afterAll(() => network?.close())

  it('changes nothing for a running tunnel; one that is opened then is refused until the clock is right (W9)', async () => {
    const link = await createLink(network, { family: 4, psk: false, initiator: 'near' })
    const args = [programFile('clock.mjs'), await installed(), link.conf]
    const output = await network.near.must(process.execPath, args, { timeout: 60_000 })
    expect(JSON.parse(output)).toEqual({ running: 3, opened: 'HANDSHAKE_TIMEOUT', right: 'stands' })
  })
})
