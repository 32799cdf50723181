// One line of a script: a segment as text, read into its fields.

export const flagLetters: [string, number][] = [
  ['S', 2],
  ['F', 1],
  ['R', 4],
  ['P', 8],
  ['U', 32],
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

export function parseLine(text: string): Line {
  const match = /^([SFRPU.]+) (\d+):(\d+)\((\d+)\)(?: ack (\d+))?(?: win (\d+))?(?: <(.*)>)?$/.exec(text)
  if (match === null) throw new Error(`not a line of a script: ${text}`)
  const [, letters, start, end, length, ack, win, options] = match
  if (Number(end) - Number(start) !== Number(length)) throw new Error(`the numbers do not add up: ${text}`)
  let flags = 0
  for (const [letter, bit] of flagLetters) if ((letters as string).includes(letter)) flags |= bit
  return {
    flags,
    start: Number(start),
    length: Number(length),
    ack: ack === undefined ? undefined : Number(ack),
    win: win === undefined ? undefined : Number(win),
    options: options === undefined ? undefined : options.split(',').filter(option => option !== ''),
  }
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
