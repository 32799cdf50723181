import { describe, expect, it } from 'vitest'
import { createPacketMemory, noSlot } from '../../../../src/core/base/packet-memory.js'

describe('packet memory', () => {
  it('hands out every slot once, then none', () => {
    const memory = createPacketMemory(new ArrayBuffer(10 * 64), 64)
    const slots = new Set(Array.from({ length: 10 }, () => memory.alloc()))
    expect(slots.size).toBe(10)
    expect([...slots].every(slot => slot % 64 === 0 && slot + 64 <= memory.u8.length)).toBe(true)
    expect(memory.alloc()).toBe(noSlot)
    expect(memory.inUse).toBe(10)
  })

  it('uses the slot freed last first, so that few pages are touched', () => {
    const memory = createPacketMemory(new ArrayBuffer(1024), 64)
    const first = memory.alloc()
    const second = memory.alloc()
    memory.free(first)
    memory.free(second)
    expect(memory.alloc()).toBe(second)
    expect(memory.alloc()).toBe(first)
    expect(memory.alloc()).toBe(128)
  })

  it('refuses to free a slot twice, or one that it never handed out', () => {
    const memory = createPacketMemory(new ArrayBuffer(1024), 64)
    const slot = memory.alloc()
    memory.free(slot)
    expect(() => memory.free(slot)).toThrow('not in use')
    expect(() => memory.free(640)).toThrow('not in use')
    expect(() => memory.free(7)).toThrow('not in use')
    expect(memory.inUse).toBe(0)
  })

  it('can lie behind a header of the buffer', () => {
    const memory = createPacketMemory(new ArrayBuffer(64 + 128), 64, 64)
    expect(memory.capacity).toBe(2)
    expect(memory.alloc()).toBe(64)
  })

  it('wants slots of a multiple of 16 bytes', () => {
    expect(() => createPacketMemory(new ArrayBuffer(1024), 65)).toThrow(RangeError)
  })
})
