// What was measured, beside what it should be.

const units = { goodput: 'Mbit/s', retransmits: '%', needless: '%', share: '%', seconds: 's', jain: '' }
const names = {
  goodput: '',
  retransmits: 'resent ',
  needless: 'resent but not lost ',
  share: 'share ',
  seconds: 'done in ',
  jain: 'Jain ',
}

/** The aims of a path for one congestion control, each with whether the median holds it. */
export function judge(path, control, measured) {
  return path.aims
    .filter(aim => aim.controls === undefined || aim.controls.includes(control))
    .map(aim => {
      const value = measured[aim.measure]
      const held = aim.atLeast === undefined ? value < aim.below : value >= aim.atLeast
      const bound = aim.atLeast === undefined ? `< ${show(aim.below)}` : `>= ${show(aim.atLeast)}`
      return { measure: aim.measure, aim: `${names[aim.measure]}${bound} ${units[aim.measure]}`.trim(), held }
    })
}

/** Of several seeds, the middle one, each measure by itself. */
export function median(runs) {
  const middle = name => {
    const values = runs.map(run => run[name]).filter(value => value !== undefined)
    return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
  }
  return Object.fromEntries(Object.keys(runs[0]).map(name => [name, middle(name)]))
}

const columns = [
  ['path', 42],
  ['control', -8],
  ['way', -5],
  ['Mbit/s', 8],
  ['of path', 8],
  ['lost %', 7],
  ['resent %', 9],
  ['Jain', 6],
  ['share %', 8],
  ['RTT ms', 7],
]

export function printHeader() {
  const head = columns.map(([name, width], index) => (index < 3 ? name.padEnd(Math.abs(width)) : name.padStart(width)))
  console.log(`${head.join(' ')}  aim`)
}

export function printRow({ path, control, direction, measured, aims }) {
  const { goodput, ofPath, lost, retransmits, jain, share, rtt, seconds } = measured
  const cells = [
    path.title.padEnd(42),
    control.padEnd(8),
    direction.padEnd(5),
    (seconds === Infinity ? 'never' : goodput.toFixed(1)).padStart(8),
    (ofPath === undefined ? '-' : `${ofPath.toFixed(0)} %`).padStart(8),
    lost.toFixed(2).padStart(7),
    retransmits.toFixed(2).padStart(9),
    ((path.flows ?? 1) > 1 ? jain.toFixed(2) : '-').padStart(6),
    (share === undefined ? '-' : share.toFixed(0)).padStart(8),
    rtt.toFixed(0).padStart(7),
  ]
  const verdict = aims.map(({ aim, held }) => `${aim}: ${held ? 'held' : 'MISSED'}`)
  if (path.transfer !== undefined) verdict.unshift(`${show(seconds)} s`)
  if (path.expect !== undefined) verdict.push(`expected: ${path.expect}`)
  console.log(`${cells.join(' ')}  ${verdict.join('; ')}`)
}

function show(number) {
  return String(Math.round(number * 100) / 100)
}
