// Figures of a benchmark that runs in a process of its own: run.js, if it started the process, hears them.

/** `figures`: `{ id, rounds, unit, better }`. */
export function tell(figures) {
  process.send?.({ figures })
}
