// The young generation of V8's heap in a command that runs for long. Thousands of idle connections are dialled in a burst, and V8
// keeps what that made the generation grow by: some 30 MiB that are never used again. And of a packet's garbage nothing survives,
// so threads that help to collect it only make the event loop wait until they run.
import { setFlagsFromString } from 'node:v8'

/** Read by V8 each time that it would grow the young generation. Costs a few percent of the time of a dial. */
export const youngHeapFlag = '--semi-space-growth-factor=1'

/** Read by V8 at each collection of the young generation. */
export const oneScavengerFlag = '--no-parallel-scavenge'

/** To be called before there is work. */
export function keepYoungHeapSmall(): void {
  setFlagsFromString(youngHeapFlag)
  setFlagsFromString(oneScavengerFlag)
}
