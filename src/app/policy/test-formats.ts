// The forms in which `tunless policy test` reports: data alone, as the command line needs them before anything is loaded.

export const testFormats = ['text', 'json', 'junit', 'github', 'gitlab'] as const
export type TestFormat = (typeof testFormats)[number]

/** One form of the results, and where it goes. */
export interface TestReport {
  readonly format: TestFormat
  /** Without it to stdout. */
  readonly file?: string
}
