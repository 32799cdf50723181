// Measures what it is told to, one job after the other.
import { parentPort } from 'node:worker_threads'
import { selectCrypto } from '../../dist/node/crypto/select.js'
import { measure } from './measure.js'
import { paths } from './paths.js'

parentPort.on('message', job => {
  const path = paths.find(({ id }) => id === job.path)
  const crypto = job.crypto === 'plain' ? 'plain' : selectCrypto(job.crypto)
  const begun = performance.now()
  const measured = measure({ ...job, path, crypto })
  parentPort.postMessage({ ...measured, took: (performance.now() - begun) / 1000 })
})
