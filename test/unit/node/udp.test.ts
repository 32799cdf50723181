import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { formatEndpoint, parseAddress } from '../../../src/core/base/address.js'
import { createPacketMemory } from '../../../src/core/base/packet-memory.js'
import { bindUdp, type UdpSink, type UdpSockets } from '../../../src/node/udp.js'

const open: UdpSockets[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(sockets => sockets.close()))
})

type Handlers = Partial<Omit<UdpSink, 'handleDatagram'>> & {
  handleDatagram?(...datagram: Parameters<UdpSink['handleDatagram']>): unknown
}

async function bind(port = 0, { handleDatagram, ...handlers }: Handlers = {}, host?: string) {
  const memory = createPacketMemory(new ArrayBuffer(64 * 2048), 2048)
  const udp = await bindUdp({
    port,
    ...(host !== undefined && { host }),
    memory,
    sink: {
      handleDatagram(slot, length, source) {
        if (handleDatagram === undefined) memory.free(slot)
        else handleDatagram(slot, length, source)
        return false
      },
      handleError() {},
      handleWritable() {},
      ...handlers,
    },
  })
  open.push(udp)
  return { memory, udp }
}

const loopback = (port: number) => ({ address: parseAddress('127.0.0.1') as Uint8Array, port })

describe('outer UDP sockets', () => {
  it('send from a slot and receive into one, and every slot comes back', async () => {
    const got: string[] = []
    let arrived = () => {}
    const all = new Promise<void>(resolve => {
      arrived = resolve
    })
    const receiver = await bind(0, {
      handleDatagram(slot, length, source) {
        got.push(String.fromCharCode(...receiver.memory.u8.subarray(slot, slot + length)))
        expect(formatEndpoint(source)).toBe(`127.0.0.1:${sender.udp.port}`)
        receiver.memory.free(slot)
        if (got.length === 5) arrived()
      },
    })
    const sender = await bind()
    for (let i = 0; i < 5; i++) {
      const slot = sender.memory.alloc()
      sender.memory.u8[slot] = 0x61 + i
      sender.udp.send(slot, 1, loopback(receiver.udp.port))
    }
    sender.udp.endTurn()
    await all
    expect(got.join('')).toBe('abcde')
    expect([sender.memory.inUse, receiver.memory.inUse]).toEqual([0, 0])
  })

  it('bind both families on one port', async () => {
    const { udp } = await bind()
    const probe = createSocket('udp4')
    await expect(
      new Promise((resolve, reject) => {
        probe.once('error', reject)
        probe.bind(udp.port, () => resolve('bound'))
      }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' })
    probe.close()
  })

  it('a port in use is UDP_BIND_FAILED, with the port and the remedy', async () => {
    const { udp } = await bind()
    await expect(bind(udp.port)).rejects.toMatchObject({
      code: 'UDP_BIND_FAILED',
      message: expect.stringContaining(`UDP port ${udp.port} is in use`),
    })
  })

  it('a datagram larger than a slot, or without a slot left, is counted and dropped', async () => {
    const held: number[] = []
    const { udp, memory } = await bind(0, { handleDatagram: slot => held.push(slot) })
    const client = createSocket('udp4')
    client.send(Buffer.alloc(3000), udp.port, '127.0.0.1')
    for (let i = 0; i < 70; i++) client.send(Buffer.alloc(10), udp.port, '127.0.0.1')
    client.send(Buffer.alloc(1), udp.port, '127.0.0.1')
    while (udp.counters.noSlot < 7) await new Promise(setImmediate)
    expect(udp.counters.tooLong).toBe(1)
    expect(memory.inUse).toBe(64)
    client.close()
    await once(client, 'close')
  })

  it('an error of a send is counted and told, and the slot comes back', async () => {
    const told: NodeJS.ErrnoException[] = []
    const { udp, memory } = await bind(0, { handleError: error => told.push(error) }, '127.0.0.1')
    udp.send(memory.alloc(), 10, { address: parseAddress('192.0.2.1') as Uint8Array, port: 9 })
    udp.endTurn()
    await new Promise(setImmediate)
    expect(told.map(error => error.code)).toEqual([expect.stringMatching(/^E/)])
    expect(udp.counters.sendErrors).toBe(1)
    expect(memory.inUse).toBe(0)
  })

  it('rebind to another port, and leave the old one', async () => {
    let arrived = () => {}
    const { udp, memory } = await bind(0, {
      handleDatagram(slot) {
        memory.free(slot)
        arrived()
      },
    })
    const before = udp.port
    await udp.rebind(0)
    expect(udp.port).not.toBe(before)
    const sender = await bind(before)
    const got = new Promise<void>(resolve => {
      arrived = resolve
    })
    sender.udp.send(sender.memory.alloc(), 1, loopback(udp.port))
    sender.udp.endTurn()
    await got
  })

  it('stay where they are when the other port is in use', async () => {
    const { udp } = await bind()
    const other = await bind()
    const before = udp.port
    await expect(udp.rebind(other.udp.port)).rejects.toMatchObject({ code: 'UDP_BIND_FAILED' })
    expect(udp.port).toBe(before)
  })
})

describe.runIf(process.platform === 'linux')('a favoured endpoint', () => {
  /** A port of this host that nothing listens on. */
  async function closedPort(): Promise<number> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address()
    socket.close()
    await once(socket, 'close')
    return port
  }

  function transmit({ udp, memory }: Awaited<ReturnType<typeof bind>>, port: number): void {
    udp.send(memory.alloc(), 1, loopback(port))
    udp.endTurn()
  }

  it('that is closed shows by its ICMP error, and the others are heard on (W29)', async () => {
    let refused: (error: NodeJS.ErrnoException) => void = () => {}
    let heard = () => {}
    const socket = await bind(0, {
      handleError: error => refused(error),
      handleDatagram: slot => {
        socket.memory.free(slot)
        heard()
      },
    })
    const port = await closedPort()
    socket.udp.favour([loopback(port)])
    const error = new Promise<NodeJS.ErrnoException>(resolve => {
      refused = resolve
    })
    transmit(socket, port)
    expect((await error).code).toBe('ECONNREFUSED')
    const got = new Promise<void>(resolve => {
      heard = resolve
    })
    transmit(await bind(), socket.udp.port)
    await got
    expect(socket.memory.inUse).toBe(0)
  })

  it('has a buffer of its own: a flood from elsewhere does not push its datagrams out', async () => {
    let favoured = 0
    const peer = await bind()
    const { udp, memory } = await bind(0, {
      handleDatagram(slot, _length, source) {
        memory.free(slot)
        if (source.port === peer.udp.port) favoured++
      },
    })
    udp.favour([loopback(peer.udp.port)])
    const flooder = createSocket({ type: 'udp4', lookup: (address, _options, callback) => callback(null, address, 4) })
    // All of it in one turn of the loop: the kernel has to keep or to drop it.
    const junk = Buffer.alloc(1400)
    for (let i = 0; i < 20_000; i++) flooder.send(junk, udp.port, '127.0.0.1')
    for (let i = 0; i < 20; i++) transmit(peer, udp.port)
    while (favoured < 20) await new Promise(setImmediate)
    expect(favoured).toBe(20)
    flooder.close()
  })

  it('renewed, given up and rebound keeps being reached', async () => {
    let heard = () => {}
    const peer = await bind(0, {
      handleDatagram(slot) {
        peer.memory.free(slot)
        heard()
      },
    })
    const socket = await bind()
    const reaches = async () => {
      const got = new Promise<void>(resolve => {
        heard = resolve
      })
      transmit(socket, peer.udp.port)
      await got
    }
    const endpoint = loopback(peer.udp.port)
    socket.udp.favour([endpoint])
    await reaches()
    socket.udp.renew(endpoint)
    await reaches()
    await socket.udp.rebind(0)
    await reaches()
    socket.udp.favour([])
    await reaches()
  })
})
