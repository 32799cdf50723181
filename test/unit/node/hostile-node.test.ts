// Found by a hostile review of the shell: what the network, a client or an unlucky owner must not be able to do to it.
import dgram from 'node:dgram'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createPacketMemory } from '../../../src/core/base/packet-memory.js'
import { claimKey } from '../../../src/node/control.js'
import { openTunnel } from '../../../src/node/open.js'
import { bindUdp } from '../../../src/node/udp.js'
import { newKeyPair, openPair } from '../../support/pair.js'

const resources = (name: string) => process.getActiveResourcesInfo().filter(one => one === name).length

const peer = (endpoint: string, allowed = '10.7.0.0/24') =>
  `[Peer]\nPublicKey = ${newKeyPair().publicKey}\nAllowedIPs = ${allowed}\n${endpoint && `Endpoint = ${endpoint}\n`}`
const conf = (...peers: string[]) =>
  `[Interface]\nPrivateKey = ${newKeyPair().privateKey}\nAddress = 10.7.0.9/32\n${peers.join('')}`

describe('a datagram from source port 0', () => {
  // Linux delivers such datagrams. Under load a cookie reply goes there, by which anybody who knows our public key ends the
  // process; so does a response to a peer, or data after roaming.
  test('gets no answer, and no exception', async () => {
    const memory = createPacketMemory(new ArrayBuffer(64 * 2048), 2048)
    const sink = { handleDatagram: () => false, handleError: () => {}, handleWritable: () => {} }
    const udp = await bindUdp({ port: 0, host: '127.0.0.1', memory, sink })
    try {
      udp.send(memory.alloc(), 32, { address: Uint8Array.of(127, 0, 0, 1), port: 0 })
      expect(() => udp.endTurn()).not.toThrow()
      expect(memory.inUse).toBe(0)
    } finally {
      await udp.close()
    }
  })
})

test('a tunnel that fails after its sockets were bound closes them', async () => {
  await sleep(20)
  const before = resources('UDPWrap')
  const text = conf(peer(''), peer('', '10.8.0.0/24'))
  await expect(openTunnel({ text }, { deviceLimits: { peers: 1 } })).rejects.toThrow(RangeError)
  await sleep(20)
  expect(resources('UDPWrap')).toBe(before)
})

test("a 'handshake' listener that throws costs no slot and no packet", async () => {
  const { gateway, runner, close } = await openPair()
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', () => {})
  try {
    gateway.on('handshake', () => {
      throw new Error('thrown by a listener')
    })
    await runner.ready()
    await sleep(100)
    expect(gateway.stats().memory.inUse).toBe(0)
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const other of others) process.on('uncaughtException', other as NodeJS.UncaughtExceptionListener)
    await close()
  }
})

test('a client of the control socket that never reads its status holds up no release', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tl-'))
  const surroundings = { env: { XDG_RUNTIME_DIR: directory }, uid: process.getuid?.() }
  const status = () => ({ peers: 'x'.repeat(4_000_000) })
  const claim = await claimKey(
    new Uint8Array(32).fill(7),
    { dial: () => Promise.reject(new Error('none')), status },
    { surroundings },
  )
  const name = readdirSync(join(directory, 'tunless')).find(entry => entry.includes('-')) as string
  const client = connect(join(directory, 'tunless', name)).on('error', () => {})
  client.write('{"op":"status"}\n')
  client.pause()
  await sleep(100)
  const outcome = await Promise.race([claim.release().then(() => 'released'), sleep(1000).then(() => 'hangs')])
  client.destroy()
  rmSync(directory, { recursive: true, force: true })
  expect(outcome).toBe('released')
})

test('ready() waits as long as it is told, beyond what setTimeout can', async () => {
  const tunnel = await openTunnel({ text: conf(peer('127.0.0.1:9')) })
  const ready = tunnel.ready({ timeout: 2 ** 31 }).catch(error => error.code)
  expect(await Promise.race([ready, sleep(200)])).toBeUndefined()
  await tunnel.close()
})

test('a dozen callers of ready() at once are no leak', async () => {
  const warnings: string[] = []
  const listen = (warning: Error) => warnings.push(warning.message)
  process.on('warning', listen)
  const { runner, close } = await openPair()
  await Promise.all(Array.from({ length: 12 }, () => runner.ready()))
  await sleep(20)
  process.off('warning', listen)
  await close()
  expect(warnings).toEqual([])
})

test('a datagram that waits for room on one family, while the turn ends on the other, does not stop the loop', async () => {
  const memory = createPacketMemory(new ArrayBuffer(64 * 2048), 2048)
  let writable = 0
  const sink = {
    handleDatagram(slot: number) {
      memory.free(slot)
      return false
    },
    handleError: () => {},
    handleWritable: () => writable++,
  }
  const udp = await bindUdp({ port: 0, memory, sink })
  const original = dgram.Socket.prototype.getSendQueueCount
  let full = true
  dgram.Socket.prototype.getSendQueueCount = function () {
    return this.address().family === 'IPv6' && full ? 1 : original.call(this)
  }
  try {
    udp.send(memory.alloc(), 32, { address: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), port: 9 })
    udp.send(memory.alloc(), 32, { address: Uint8Array.of(127, 0, 0, 1), port: 9 })
    udp.endTurn()
    await sleep(20)
    full = false // The kernel took it.
    await sleep(200)
    expect(udp.writable).toBe(true)
    expect(writable).toBe(1)
  } finally {
    dgram.Socket.prototype.getSendQueueCount = original
    await udp.close()
  }
})
