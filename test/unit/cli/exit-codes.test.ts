import { expect, it } from 'vitest'
import { exitCodeOf, runExitCodeOf } from '../../../src/cli/exit-codes.js'
import { errorCodes, TunnelError, type TunnelErrorCode } from '../../../src/errors.js'

it('is 2 for the command line, the configuration and the policy, and 1 for everything else', () => {
  const usage = (Object.keys(errorCodes) as TunnelErrorCode[]).filter(
    code => exitCodeOf(new TunnelError(code, '')) === 2,
  )
  expect(usage.sort()).toEqual([
    'CONFIG_INVALID',
    'CONFIG_NO_PRIVATE_KEY',
    'CONFIG_UNREADABLE',
    'NETMAP_INVALID',
    'POLICY_INVALID',
    'POLICY_UNREADABLE',
    'PROXY_NOT_LOOPBACK',
    'USAGE',
  ])
  expect(exitCodeOf(new Error('any other'))).toBe(1)
  expect(exitCodeOf(undefined)).toBe(1)
})

it('is 125 for all that is not its command’s, where run is', () => {
  expect(runExitCodeOf()).toBe(125)
})
