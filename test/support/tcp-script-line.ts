// One line of a script: a segment as text, read into its fields.

export const flagLetters: [string, number][] = [
  ['S', 2],
  ['F', 1],
  ['R', 4],
  ['P', 8],
  ['U', 32],
  ['E', 64],
  ['W', 128],
  ['.', 16],
]

export interface Line {
  flags: number
  start: number
  length: number
  ack: number | undefined
  win: number | undefined
  options: string[] | undefined
}

const segment = /^([SFRPUEW.]+|-) (-?\d+):(-?\d+)\((?:(\d+)x)?(\d+)\)(?: ack (-?\d+))?(?: win (\d+))?(?: <(.*)>)?$/

/** The segments that a line stands for: one, or as many as `10x1000` says, each behind the other. */
export function parseLines(text: string): Line[] {
  const match = segment.exec(text)
  if (match === null) throw new Error(`not a line of a script: ${text}`)
  const [, letters, start, end, count, each, ack, win, options] = match
  const length = Number(each)
  const times = Number(count ?? 1)
  if (Number(end) - Number(start) !== times * length) throw new Error(`the numbers do not add up: ${text}`)
  let flags = 0
  for (const [letter, bit] of flagLetters) if ((letters as string).includes(letter)) flags |= bit
  return Array.from({ length: times }, (_, i) => ({
    flags,
    start: Number(start) + i * length,
    length,
    ack: ack === undefined ? undefined : Number(ack),
    win: win === undefined ? undefined : Number(win),
    options: options?.split(',').filter(option => option !== ''),
  }))
}

/** The options as bytes, padded with NOPs. SACK blocks count from `iss`. */
export function encodeOptions(options: string[], iss: number): Uint8Array {
  const bytes: number[] = []
  const word = (value: number) =>
    bytes.push((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
  for (const option of options) {
    const [name, ...words] = option.split(' ') as [string, ...string[]]
    if (name === 'mss') bytes.push(2, 4, Number(words[0]) >> 8, Number(words[0]) & 255)
    else if (name === 'wscale') bytes.push(3, 3, Number(words[0]))
    else if (name === 'sackOK') bytes.push(4, 2)
    else if (name === 'nop') bytes.push(1)
    else if (name === 'TS') {
      bytes.push(8, 10)
      word(Number(words[1]))
      word(Number(words[3]))
    } else if (name === 'sack') {
      bytes.push(5, 2 + 8 * words.length)
      for (const block of words) {
        const [from, to] = block.split(':').map(Number) as [number, number]
        word((iss + from) | 0)
        word((iss + to) | 0)
      }
    } else throw new Error(`not an option: ${option}`)
  }
  while (bytes.length % 4 !== 0) bytes.push(1)
  return Uint8Array.from(bytes)
}
