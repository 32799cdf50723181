// A tunnel on the near host and the kernel's TCP on another, each with a talker of test/interop/programs that the test tells
// what to do.
import { createCipheriv, createHash } from 'node:crypto'
import { expect } from 'vitest'
import { programFile } from './interop.js'
import type { Host } from './netns.js'
import type { Program } from './process.js'
import { installed } from './tarball.js'

export interface Talker {
  readonly program: Program
  readonly host: Host
}

let count = 0

/** The kernel's end on `host`, or, with a conf, a tunnel's. */
export async function startTalker(host: Host, conf?: string): Promise<Talker> {
  const args = conf === undefined ? [] : [await installed(), conf]
  const program = host.start(process.execPath, [programFile('talker.mjs'), ...args])
  await program.prints(/^listening$/m)
  return { program, host }
}

export interface Talk {
  from: Talker
  to: Talker
  /** Address of `to`. */
  address: string
  mode: string
  bytes?: number
  /** Of a stall. */
  ms?: number
  /** What happens between the two halves of a transfer, or beside it. */
  meanwhile?: () => Promise<void>
  timeout?: number
}

export interface TalkResult {
  dialled: Record<string, unknown>
  accepted: Record<string, unknown>
}

/** `from` dials; both say what came of it. */
export async function talk({ from, to, address, mode, bytes = 0, ms = 0, ...more }: Talk): Promise<TalkResult> {
  const { meanwhile, timeout = 60_000 } = more
  const id = `t${count++}.`
  from.program.child.stdin?.write(`dial ${id} ${address} ${mode} ${bytes} ${ms}\n`)
  if (mode.endsWith('in-halves')) {
    const sender = mode.startsWith('upload') ? from : to
    await sender.program.prints(new RegExp(`^half ${id}$`, 'm'), timeout)
    await meanwhile?.()
    sender.program.child.stdin?.write(`go ${id}\n`)
  } else await meanwhile?.()
  const of = async (talker: Talker, role: string) => {
    const [, json] = await talker.program.prints(new RegExp(`^${role} ${id} (.*)$`, 'm'), timeout)
    return JSON.parse(json as string) as Record<string, unknown>
  }
  const dialled = await of(from, 'dialled')
  return { dialled, accepted: await of(to, 'accepted') }
}

/** What a talker says that received `bytes` whole. */
export function whole(bytes: number): { length: number; sha256: string } {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))
  const hash = createHash('sha256')
  for (let left = bytes; left > 0; left -= 65536) hash.update(cipher.update(Buffer.alloc(Math.min(left, 65536))))
  return { length: bytes, sha256: hash.digest('hex') }
}

/** What the kernel knows of its connections with the near host's port 9000, or from it. */
export async function kernelView(talker: Talker): Promise<string> {
  const filter = '( sport = :9000 or dport = :9000 )'
  const view = await talker.host.must('ss', ['-Htnio', 'state', 'connected', filter])
  expect(view).not.toBe('')
  return view
}
