// Why a dial was refused, with the rule that is missing as it could be written into the policy file.
import { type Endpoint, formatAddress, sameAddress, unmapAddress } from '../../core/base/address.js'
import type { FlowReport } from '../../core/host/flow-policy.js'
import { TunnelError } from '../../errors.js'
import { type FlowEnd, flowInfo, protocolName } from './flow-info.js'

/** POLICY_DENIED: by this host's own policy where `refused` was the target, else by whoever sent the ICMP message. */
export function explainDenied(target: Endpoint, refused: FlowReport | undefined, file: string): TunnelError {
  const address = unmapAddress(target.address)
  const isOurs =
    refused !== undefined &&
    sameAddress(refused.destination, address) &&
    (refused.destinationPort === 0 || refused.destinationPort === target.port)
  if (isOurs) return new TunnelError('POLICY_DENIED', explainRefusal(refused, file))
  const host = formatAddress(address)
  const place = target.port === 0 ? host : formatTarget(host, target.port)
  return new TunnelError(
    'POLICY_DENIED',
    `${place} is prohibited by the other side: its policy, or a firewall there, does not allow it; its log says why`,
  )
}

function explainRefusal(refused: FlowReport, file: string): string {
  const { source, destination, refusal } = flowInfo(refused, file)
  const what = `${file} does not let ${describe(source)} reach ${describe(destination)}`
  const port = portsOf(refused)
  if (refusal === 'expired') {
    return `${what} on ${port}: one of the two is expired in the netmap: renew its expiry there`
  }
  if (refusal === 'route') {
    return (
      `${what} on ${port}: the AllowedIPs that cover ${destination.address} are of a peer whose key is not that node's: ` +
      'correct AllowedIPs, or give that peer the route in the netmap'
    )
  }
  if (source.node === undefined) {
    return `${what} on ${port}: this host's own address ${source.address} is no node's in the netmap: add it there`
  }
  return `${what} on ${port}: no rule allows it; this one in "grants" would: ${missingRule(source, destination, port)}`
}

/** The narrowest that says it by tags where there are any. */
export function missingRule(source: FlowEnd, destination: FlowEnd, ports: string): string {
  return JSON.stringify({ src: [selectorOf(source)], dst: [selectorOf(destination)], ip: [ports] })
}

/** As `ip` of a grant has it. */
function portsOf({ protocol, destinationPort }: FlowReport): string {
  const name = protocolName(protocol)
  return destinationPort === 0 ? `${name}:*` : `${name}:${destinationPort}`
}

function selectorOf({ address, tags, user }: FlowEnd): string {
  return tags[0] ?? user ?? address
}

function describe({ address, node, tags }: FlowEnd): string {
  if (node === undefined) return address
  return `${node} (${[...tags, address].join(', ')})`
}

function formatTarget(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
