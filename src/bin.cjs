#!/usr/bin/env node
// The command's entry. It parses even on old runtimes, so that they get a sentence instead of a syntax error.
'use strict'

var version = process.versions.node.split('.').map(Number)

if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  process.stderr.write(`tunless: Node.js 20.19 or newer is needed; this is ${process.version}\n`)
  process.exitCode = 1
} else {
  require('./cli/main.cjs').main(process.argv)
}
