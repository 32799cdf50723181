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

/** Takes diagnostics as they are found; {@link Diagnostics.list} has them in the order of the file. */
export class Diagnostics {
  readonly #found: Diagnostic[] = []
  readonly #limit: number

  /** Past `limit` nothing more is kept, so that a hostile file cannot fill the memory with complaints. */
  constructor(limit = 1000) {
    this.#limit = limit
  }

  error(place: Place, code: string, message: string): void {
    this.#add({ severity: 'error', line: place.line, column: place.column, code, message })
  }

  warning(place: Place, code: string, message: string): void {
    this.#add({ severity: 'warning', line: place.line, column: place.column, code, message })
  }

  list(): Diagnostic[] {
    return this.#found.toSorted((a, b) => a.line - b.line || a.column - b.column)
  }

  /** An error always finds room: it takes the place of the last warning, and the first one is never lost. */
  #add(diagnostic: Diagnostic): void {
    if (this.#found.length < this.#limit) this.#found.push(diagnostic)
    else if (diagnostic.severity === 'error') {
      const warning = this.#found.findLastIndex(each => each.severity === 'warning')
      if (warning >= 0) this.#found[warning] = diagnostic
    }
  }
}
