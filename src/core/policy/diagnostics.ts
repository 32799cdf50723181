// What is wrong with a policy file or a netmap, each with its place, and the one way to say where that is.

/** A place in a file: line and column count from 1, the column in UTF-16 units. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** An error refuses the file. A warning says what has no effect here, or which rule grants nothing and why. */
export interface Diagnostic extends Place {
  readonly severity: 'error' | 'warning'
  /** Stable and machine-readable, `unknown-field` for instance. */
  readonly code: string
  /** Names the cause and the remedy, without the place. */
  readonly message: string
}

/** Text of a file as it may go to a terminal or a log: what could move a cursor or begin a line is a question mark. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\u00a0-\u2027\u202f-\u2065\u206a-\ufefe\uff00-\uffff]/g, '?')
}

/** Takes diagnostics as they are found; {@link Diagnostics.list} has them in the order of the file. */
export class Diagnostics {
  readonly #found: Diagnostic[] = []
  readonly #limit: number
  #warnings = 0

  /** Past `limit` nothing more is kept, so that a hostile file cannot fill the memory with complaints. */
  constructor(limit = 1000) {
    this.#limit = limit
  }

  error(place: Place, code: string, message: string): void {
    this.#add({ severity: 'error', line: place.line, column: place.column, code, message: printable(message) })
  }

  warning(place: Place, code: string, message: string): void {
    this.#add({ severity: 'warning', line: place.line, column: place.column, code, message: printable(message) })
  }

  list(): Diagnostic[] {
    return this.#found.toSorted((a, b) => a.line - b.line || a.column - b.column)
  }

  /** An error always finds room: it takes the place of the last warning, and the first one is never lost. */
  #add(diagnostic: Diagnostic): void {
    const isWarning = diagnostic.severity === 'warning'
    if (this.#found.length < this.#limit) {
      this.#found.push(diagnostic)
      if (isWarning) this.#warnings++
    } else if (!isWarning && this.#warnings > 0) {
      this.#found[this.#found.findLastIndex(each => each.severity === 'warning')] = diagnostic
      this.#warnings--
    }
  }
}
