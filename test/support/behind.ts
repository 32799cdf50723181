// A third host behind the far one, which becomes a router: the kernel's TCP at the end of a path that can get narrower.
import { Host, type Network, removeNamespace } from './netns.js'
import { must } from './process.js'

export interface Behind {
  readonly host: Host
  readonly address: Record<4 | 6, string>
  /** Prefixes that lead there, for AllowedIPs. */
  readonly prefixes: string
  /** The MTU of the wire between router and host, seen from the router. */
  setMtu(mtu: number): Promise<void>
  /** Whether the router says so when a packet does not fit, to either side. */
  setSilent(silent: boolean): Promise<void>
  close(): Promise<void>
}

const address = { 4: '10.8.0.2', 6: 'fd08::2' }
const router = { 4: '10.8.0.1', 6: 'fd08::1' }

/** `inside`: what the near host is called inside the tunnel. */
export async function createBehind(network: Network, inside: Record<4 | 6, string>): Promise<Behind> {
  const { far } = network
  const host = new Host(far.name.replace('far', 'behind'))
  await must('ip', ['netns', 'add', host.name])
  const wire = ['link', 'add', 'wire1', 'netns', far.name, 'type', 'veth', 'peer', 'name', 'wire1']
  await must('ip', [...wire, 'netns', host.name])
  for (const [end, own] of [
    [far, router],
    [host, address],
  ] as const) {
    await end.ip('addr', 'add', `${own[4]}/24`, 'dev', 'wire1')
    await end.ip('addr', 'add', `${own[6]}/64`, 'dev', 'wire1', 'nodad')
    await end.ip('link', 'set', 'lo', 'up')
    await end.ip('link', 'set', 'wire1', 'up')
  }
  await host.ip('route', 'add', 'default', 'via', router[4])
  await host.ip('-6', 'route', 'add', 'default', 'via', router[6])
  await far.must('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  return {
    host,
    address,
    prefixes: '10.8.0.0/24, fd08::/64',
    async setMtu(mtu) {
      await far.ip('link', 'set', 'wire1', 'mtu', String(mtu))
    },
    async setSilent(silent) {
      const change = silent ? 'add' : 'del'
      const rule = ['iif', 'lo', 'pref', '10', 'blackhole', 'to']
      for (const end of [inside, address]) {
        await far.ip('rule', change, 'ipproto', 'icmp', ...rule, end[4])
        await far.ip('-6', 'rule', change, 'ipproto', 'ipv6-icmp', ...rule, end[6])
      }
    },
    close: () => removeNamespace(host.name),
  }
}
