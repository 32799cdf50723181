const tunless = require('tunless')
const testing = require('tunless/testing')

if (typeof testing.createNetwork !== 'function') throw new Error('tunless/testing')
import('./roundtrip.mjs').then(async ({ roundtrip }) => console.log(await roundtrip(tunless)))
