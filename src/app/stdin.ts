// Reading all of stdin, where it is a configuration, a key or a policy.
import { TunnelError, type TunnelErrorCode } from '../errors.js'

/** Rejects with `code` beyond `longest` bytes, and where stdin cannot be read. */
export async function readStdin(longest: number, code: TunnelErrorCode = 'CONFIG_UNREADABLE'): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of process.stdin) {
      chunks.push(chunk)
      length += chunk.length
      if (length > longest) throw new Error(`more than ${longest} bytes`)
    }
  } catch (cause) {
    throw new TunnelError(code, `cannot read stdin: ${(cause as Error).message}`, { cause })
  }
  return Buffer.concat(chunks).toString('utf8')
}
