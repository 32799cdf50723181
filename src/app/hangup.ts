// SIGHUP of a command that stays: a service manager's order to look at its files again, or a terminal's last word.
import { closeSync, openSync } from 'node:fs'

/** Calls `reload` at SIGHUP; `end` where it came because the terminal that was there is gone. Returns what stops listening. */
export function onHangup(reload: () => void, end: () => void, hasTerminal = canOpenTerminal): () => void {
  const hadTerminal = hasTerminal()
  const hear = () => (hadTerminal && !hasTerminal() ? end() : reload())
  process.on('SIGHUP', hear)
  return () => void process.off('SIGHUP', hear)
}

function canOpenTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}
