// What the interop tests share: the gate, a payload, the far host's services, and transfers that compare SHA-256.
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { type Host, interopUnavailable, type Network } from './netns.js'
import { must, type Program, stopAll } from './process.js'

const unavailable = interopUnavailable()

/** `TUNLESS_FULL=1`: every cell and the large transfers, instead of one of each kind. */
export const full = process.env.TUNLESS_FULL === '1'

/** A suite that needs namespaces: skipped where there can be none, unless TUNLESS_REQUIRE_INTEROP=1 makes that a failure. */
export function describeInterop(name: string, suite: () => void): void {
  describe.skipIf(unavailable !== undefined && process.env.TUNLESS_REQUIRE_INTEROP !== '1')(name, () => {
    beforeAll(() => {
      if (unavailable !== undefined) throw new Error(`the interop tests are required, but this host ${unavailable}`)
    })
    afterAll(stopAll)
    suite()
  })
}

export interface Payload {
  file: string
  length: number
  sha256: string
}

export const mebibyte = 1024 * 1024

/** Random bytes in a file of the network's folder. */
export function createPayload(network: Network, length: number): Payload {
  const bytes = randomBytes(length)
  const file = join(network.folder, `payload-${length}`)
  writeFileSync(file, bytes)
  return { file, length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

const programs = join(import.meta.dirname, '..', 'interop', 'programs')

/** Path of a program of test/interop/programs. */
export function programFile(name: string): string {
  return join(programs, name)
}

/** HTTP on 8000, half-closed requests on 8001, echo on 8002, on every address of the host. */
export async function startServices(host: Host, payload: Payload): Promise<Program> {
  const program = host.start(process.execPath, [programFile('far.mjs'), payload.file])
  await program.prints(/listening/)
  return program
}

export interface Transfer {
  /** Where curl runs. */
  from: Host
  /** The HTTP service's root. */
  url: string
  /** What curl needs to get there, a proxy for example. */
  curl?: string[]
  payload: Payload
  /** How often the payload goes over, one after the other in one connection; 1 by default. */
  times?: number
  timeout?: number
}

/** GETs the payload and compares. */
export async function download({
  from,
  url,
  curl = [],
  payload,
  times = 1,
  timeout = 120_000,
}: Transfer): Promise<void> {
  const command = 'curl -sS --fail "$@" | sha256sum'
  const args = ['-o', 'pipefail', '-c', command, 'bash', ...curl, `${url}/payload?times=${times}`]
  const sum = (await from.must('bash', args, { timeout })).split(' ')[0]
  expect(sum).toBe(await sumOf(payload, times))
}

/** PUTs the payload and compares. */
export async function upload({ from, url, curl = [], payload, times = 1, timeout = 120_000 }: Transfer): Promise<void> {
  const command = 'n=$1 f=$2; shift 2; for i in $(seq "$n"); do cat "$f"; done | curl -sS --fail -T - "$@"'
  const args = ['-o', 'pipefail', '-c', command, 'bash', String(times), payload.file, ...curl, `${url}/payload`]
  const answer: unknown = JSON.parse(await from.must('bash', args, { timeout }))
  expect(answer).toEqual({ length: payload.length * times, sha256: await sumOf(payload, times) })
}

/** Both directions at the same time. */
export async function exchange(transfer: Transfer): Promise<void> {
  await Promise.all([download(transfer), upload(transfer)])
}

async function sumOf(payload: Payload, times: number): Promise<string> {
  if (times === 1) return payload.sha256
  const command = 'for i in $(seq "$1"); do cat "$2"; done | sha256sum'
  return (await must('bash', ['-c', command, 'bash', String(times), payload.file])).split(' ')[0] as string
}
