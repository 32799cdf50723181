import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Interrupted, isForeground, type RunSignals, runCommand, takeSignals } from '../../../src/app/run-command.js'

const env = { PATH: process.env.PATH }

/** The process's signals taken over; `isTyped` as the terminal would tell it. */
function taken(isTyped = false): RunSignals {
  const signals = takeSignals(() => isTyped)
  onTestFinished(() => signals.done())
  return signals
}

function sh(script: string, signals: RunSignals): Promise<unknown> {
  return runCommand(['sh', '-c', script], env, signals)
}

describe('the exit code', () => {
  it.each([
    ['exit 0', 0],
    ['exit 1', 1],
    ['exit 125', 125],
    ['exit 255', 255],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
    ['kill -HUP $$', 129],
  ])('of %j is %i', async (script, code) => {
    expect(await sh(script, taken())).toBe(code)
  })

  it('of what is not there is 127', async () => {
    const ended = { code: 127, reason: expect.stringContaining('no-such-command: not found: it is not on PATH') }
    expect(await runCommand(['no-such-command'], env, taken())).toEqual(ended)
    const missing = await runCommand(['/no/such/command'], env, taken())
    expect(missing).toEqual({ code: 127, reason: expect.stringContaining('there is no such file') })
  })

  it('of what cannot be executed is 126', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunless-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'script')
    writeFileSync(file, '#!/bin/sh\n')
    chmodSync(file, 0o644)
    expect(await runCommand([file], env, taken())).toEqual({
      code: 126,
      reason: expect.stringContaining('it is not executable'),
    })
    const long = ['true', 'x'.repeat(4_000_000)]
    expect(await runCommand(long, env, taken())).toMatchObject({ code: 126 })
  })

  it.each([[['']], [['a\0b']], [['true', 'a\0b']]])('of %j is a usage error', async words => {
    await expect(runCommand(words, env, taken())).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('signals', () => {
  /** A shell that waits for signals by now, and does with them as `traps` say. */
  async function waiting(traps: string, signals: RunSignals): Promise<{ ended: Promise<unknown> }> {
    const folder = mkdtempSync(join(tmpdir(), 'tunless-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'ready')
    const ended = sh(`${traps}; echo ready > ${file}; while :; do sleep 0.02; done`, signals)
    await vi.waitFor(() => expect(existsSync(file)).toBe(true), { interval: 10 })
    return { ended }
  }

  it.each([
    ['SIGTERM', 'TERM', 31],
    ['SIGHUP', 'HUP', 32],
    ['SIGUSR2', 'USR2', 33],
  ] as const)('%s goes on to the command, which decides', async (signal, name, code) => {
    const { ended } = await waiting(`trap 'exit ${code}' ${name}`, taken(true))
    process.emit(signal, signal)
    expect(await ended).toBe(code)
  })

  it('SIGINT goes on where no terminal has sent it', async () => {
    const { ended } = await waiting(`trap 'exit 34' INT`, taken(false))
    process.emit('SIGINT', 'SIGINT')
    expect(await ended).toBe(34)
  })

  it('SIGINT of a terminal, which the command has got too, is not sent again; a second one kills', async () => {
    const { ended } = await waiting(`trap 'exit 35' INT`, taken(true))
    process.emit('SIGINT', 'SIGINT')
    const still = await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 100, 'runs on'))])
    expect(still).toBe('runs on')
    process.emit('SIGINT', 'SIGINT')
    expect(await ended).toBe(137)
  })

  it('before there is a command end the waiting, with a code of their own', () => {
    const signals = taken()
    process.emit('SIGTERM', 'SIGTERM')
    expect(signals.interrupted.reason).toBeInstanceOf(Interrupted)
    expect(signals.interrupted.reason).toMatchObject({ code: 143, message: 'stopped by SIGTERM' })
  })

  it('a second one before there is a command ends the process', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
    onTestFinished(() => exit.mockRestore())
    taken()
    process.emit('SIGINT', 'SIGINT')
    expect(exit).not.toHaveBeenCalled()
    process.emit('SIGINT', 'SIGINT')
    expect(exit).toHaveBeenCalledWith(130)
  })

  it('are given back', () => {
    const before = process.listenerCount('SIGTERM')
    const signals = takeSignals()
    expect(process.listenerCount('SIGTERM')).toBe(before + 1)
    signals.done()
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })
})

describe('a process in front of a terminal', () => {
  it.each([
    ['1 (node) S 0 77 77 34816 77 0', true],
    ['1 (a) b) S 0 77 77 34816 77 0', true],
    ['1 (node) S 0 77 77 34816 78 0', false],
    ['1 (node) S 0 77 77 0 -1 0', false],
  ])('%s: %s', (stat, expected) => {
    expect(isForeground(stat)).toBe(expected)
  })
})
