// Says once, in one line, that the interop tests are skipped, and why.
import { interopUnavailable } from './netns.js'

export default function setup(): void {
  const reason = interopUnavailable()
  if (reason !== undefined) console.log(`interop tests are skipped: this host ${reason}`)
}
