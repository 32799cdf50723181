// net.Socket's behaviour, asserted of Node's own sockets and of the tunnel's by the same lines.
import { describe } from 'vitest'
import { nodeRig, stackRig, tunnelRig } from '../../support/socket-rigs.js'
import { useSocketWorld } from '../../support/socket-world.js'
import { describeData } from './contract/data.js'
import { describeDestruction } from './contract/destroy.js'
import { describeDials } from './contract/dial.js'
import { describeDifferences } from './contract/differences.js'
import { describeEnds } from './contract/end.js'
import { describeOrder } from './contract/order.js'
import { describeSetters } from './contract/setters.js'
import { describeSignatures } from './contract/signatures.js'
import { describeUsers } from './contract/users.js'

describe.each([
  ['node:net', nodeRig],
  ['the tunnel', tunnelRig],
  ["the tunnel's own TCP", stackRig],
])('a socket of %s', (_, makeRig) => {
  const world = useSocketWorld(makeRig)
  describeDials(world)
  describeSignatures(world)
  describeData(world)
  describeEnds(world)
  describeDestruction(world)
  describeOrder(world)
  describeSetters(world)
  describeUsers(world)
  describe('and its differences', () => describeDifferences(world, makeRig === nodeRig))
})
