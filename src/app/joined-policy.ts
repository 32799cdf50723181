// A command that was told to keep to a policy and joins a running tunnel: it is that tunnel that keeps to one, or does not.
import { TunnelError } from '../errors.js'
import type { JoinedTunnel } from '../node/control.js'
import type { Log } from './log.js'
import type { OpenOptions } from './open-options.js'

/**
 * Rejects with POLICY_NOT_ENFORCED where the joined tunnel refuses nothing although `policy` was given, and as openTunnel does for
 * files that cannot be used. Warns of another policy than that.
 */
export async function mustKeepTo(
  { policy, policyMode }: Pick<OpenOptions, 'policy' | 'policyMode'>,
  joined: Pick<JoinedTunnel, 'pid' | 'status'>,
  log: Log,
): Promise<void> {
  if (policy === undefined) return
  const { readPolicy } = await import('../node/policy/source.js')
  const { name, digest } = await readPolicy(policy)
  const { policy: kept } = (await joined.status()) as { policy?: { file: string; mode: string; digest: string } }
  const refuses = kept !== undefined && (kept.mode === 'enforce' || policyMode === 'report')
  if (!refuses) {
    const what = kept === undefined ? 'keeps to no policy' : 'only reports what its policy would refuse'
    throw new TunnelError(
      'POLICY_NOT_ENFORCED',
      `the running tunnel of process ${joined.pid} ${what}: restart it with --policy ${name}, or leave --policy out here`,
    )
  }
  if (kept.digest !== digest)
    log.warn(`the tunnel of process ${joined.pid} keeps to ${kept.file}, which is not ${name}`)
}
