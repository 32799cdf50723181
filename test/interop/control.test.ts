// The harness against itself: wireguard-go on both hosts, the kernel's TCP at both ends. Where this fails, the
// fault is in the tests or the machine and not in tunless.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createPayload,
  describeInterop,
  download,
  exchange,
  mebibyte,
  startServices,
  upload,
} from '../support/interop.js'
import { createNetwork, keyPair, type Network, presharedKey, startKernelPeer } from '../support/netns.js'

describeInterop('two hosts, both with wireguard-go', () => {
  let network: Network
  beforeAll(async () => {
    network = await createNetwork()
  })
  afterAll(() => network?.close())

  describe.each([4, 6] as const)('over IPv%s', family => {
    it('carry a payload each way and both at once', async () => {
      const [far, near, psk] = await Promise.all([keyPair(), keyPair(), presharedKey()])
      const there = network.underlay.far[family]
      const payload = createPayload(network, 8 * mebibyte)
      const farDevice = await startKernelPeer(network, network.far, {
        privateKey: far.privateKey,
        listenPort: 51820,
        addresses: ['10.7.0.1/24', 'fd07::1/64'],
        peers: [{ publicKey: near.publicKey, presharedKey: psk, allowedIps: ['10.7.0.2/32', 'fd07::2/128'] }],
      })
      const nearDevice = await startKernelPeer(network, network.near, {
        privateKey: near.privateKey,
        addresses: ['10.7.0.2/24', 'fd07::2/64'],
        peers: [
          {
            publicKey: far.publicKey,
            presharedKey: psk,
            allowedIps: ['10.7.0.0/24', 'fd07::/64'],
            endpoint: family === 6 ? `[${there}]:51820` : `${there}:51820`,
          },
        ],
      })
      const services = await startServices(network.far, payload)
      for (const url of ['http://10.7.0.1:8000', 'http://[fd07::1]:8000']) {
        const transfer = { from: network.near, url, payload }
        await download(transfer)
        await upload(transfer)
        await exchange(transfer)
      }
      expect((await services.stop()).signal).toBe('SIGTERM')
      await nearDevice.stop()
      await farDevice.stop()
    })
  })
})
