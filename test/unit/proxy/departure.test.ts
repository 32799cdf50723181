import { describe, expect, it } from 'vitest'
import { abortSignalOf, Departure } from '../../../src/proxy/departure.js'

describe('whom a dial is for', () => {
  it('leaves once, and everyone who listens then is told once', () => {
    const departure = new Departure()
    const told: string[] = []
    const silent = () => told.push('silent')
    departure.addEventListener('abort', () => told.push('first'))
    departure.addEventListener('abort', silent)
    departure.addEventListener('abort', () => told.push('second'))
    departure.removeEventListener('abort', silent)
    departure.throwIfAborted()
    departure.leave(new Error('left'))
    departure.leave(new Error('again'))
    departure.addEventListener('abort', () => told.push('late'))
    expect(told).toEqual(['first', 'second'])
    expect(departure.aborted).toBe(true)
    expect(() => departure.throwIfAborted()).toThrow('left')
  })

  it('is an AbortSignal for whoever needs one, before and after', () => {
    const departure = new Departure()
    const early = abortSignalOf(departure)
    expect(early.aborted).toBe(false)
    departure.leave(new Error('left'))
    expect(early.reason).toMatchObject({ message: 'left' })
    expect(abortSignalOf(departure).reason).toBe(departure.reason)
    expect(abortSignalOf(early)).toBe(early)
  })
})
