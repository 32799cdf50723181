// Prints `PASSED FAILED SKIPPED` from vitest's JSON report. A file that could not be run counts as a failure of its own.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const count = status =>
  report.testResults.flatMap(file => file.assertionResults).filter(test => test.status === status).length
const brokenFiles = report.testResults.filter(file => {
  return file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed')
}).length
const [passed, failed] = [count('passed'), count('failed')]
const skipped = report.numTotalTests - passed - failed
console.log(passed, failed + brokenFiles, skipped)
