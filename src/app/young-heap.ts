// Thousands of idle connections are dialled in a burst, and V8 keeps the young generation that a burst made it grow: some
// 30 MiB that are never used again. A long-running command does without; it costs a few percent of the time of a dial.
import { setFlagsFromString } from 'node:v8'

/** Read by V8 each time that it would grow the young generation. */
export const youngHeapFlag = '--semi-space-growth-factor=1'

/** To be called before there is work. */
export function keepYoungHeapSmall(): void {
  setFlagsFromString(youngHeapFlag)
}
