// A root folder as the image node:alpine has it: busybox as its shell and tools, Node built for musl. What `apk add` brings is Debian's.
import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Host } from './netns.js'
import { must, type Program, type Result } from './process.js'
import { musl } from './recipes.js'

export interface Alpine {
  readonly root: string
  /** Runs `sh -c script` in it, in the network of `host`. */
  run(host: Host, script: string, options: { cwd: string; env: Record<string, string> }): Promise<Result>
  /**
   * Starts a program as a confined container has it: another user than root without any capability, a root file system that cannot
   * be written to, and /tmp.
   */
  startConfined(host: Host, command: string[], options: { cwd: string; env: Record<string, string> }): Program
}

const path = '/usr/local/bin:/usr/bin:/bin'

/** `packages`: what its `apk` can add, each with its program, taken from this host; nothing else of the host is there. */
export async function createAlpine(root: string, packages: Record<string, string> = {}): Promise<Alpine> {
  cpSync(musl, root, { recursive: true, verbatimSymlinks: true })
  for (const name of ['bin', 'usr/bin', 'proc', 'dev', 'tmp', 'root']) mkdirSync(join(root, name), { recursive: true })
  const busybox = (await must('sh', ['-c', 'command -v busybox'])).trim()
  cpSync(busybox, join(root, 'bin/busybox'), { dereference: true })
  for (const applet of (await must(busybox, ['--list'])).split('\n').filter(Boolean)) {
    if (applet !== 'busybox' && !existsSync(join(root, 'bin', applet)))
      symlinkSync('busybox', join(root, 'bin', applet))
  }
  symlinkSync('/bin/busybox', join(root, 'usr/bin/env'))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  await addPackages(root, packages)
  const inside = ({ cwd, env }: { cwd: string; env: Record<string, string> }, command: string[]) => [
    ...['/bin/env', '-i', `PATH=${path}`, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    ...['/bin/sh', '-c', 'cd "$0" && exec "$@"', cwd, ...command],
  ]
  return {
    root,
    run: (host, script, options) => {
      const args = inside({ ...options, env: { HOME: '/root', ...options.env } }, ['/bin/sh', '-c', script])
      return host.run('sh', ['-c', `${mounts}; exec chroot "$0" "$@"`, root, ...args], { timeout: 120_000 })
    },
    startConfined: (host, command, options) => {
      const confine =
        'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"'
      const enter = 'exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups= "$0" "$@"'
      const args = inside(options, ['/bin/sh', '-c', 'exec "$0" "$@"', ...command])
      return host.start('sh', ['-c', `set -e; ${confine}; ${mounts}; ${enter}`, root, ...args])
    },
  }
}

/** `ip netns exec` gives each command a mount namespace of its own. */
const mounts = 'set -e; mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"'

/** An `apk` that puts programs and the libraries that they are linked against from /packages to where they belong. */
async function addPackages(root: string, packages: Record<string, string>): Promise<void> {
  for (const [name, command] of Object.entries(packages)) {
    const program = (await must('sh', ['-c', 'command -v "$0"', command])).trim()
    const libraries = [...(await must('ldd', [program])).matchAll(/(\/\S+) \(0x/g)].map(match => match[1] as string)
    for (const file of [program, ...libraries]) {
      const to = join(root, 'packages', name, file)
      mkdirSync(dirname(to), { recursive: true })
      cpSync(file, to, { dereference: true })
    }
  }
  const apk = join(root, 'bin/apk')
  const lines = ['#!/bin/sh', 'set -e', '[ "$1 $2" = "add --no-cache" ]', 'shift 2']
  writeFileSync(apk, [...lines, 'for name; do cp -r "/packages/$name/." /; done', ''].join('\n'))
  chmodSync(apk, 0o755)
}
