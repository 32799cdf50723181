// The same package from a CommonJS TypeScript program.
import tunless = require('tunless')

export async function main(): Promise<void> {
  const tunnel: tunless.Tunnel = await tunless.openTunnel('deploy.conf')
  await tunnel.close()
}
