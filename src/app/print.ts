// Data on stdout. Who reads it may leave early (`| head -1`), which is no error of ours.

let listens = false

export function print(text: string): void {
  if (!listens) {
    listens = true
    process.stdout.on('error', () => {})
  }
  process.stdout.write(text)
}
