import type { RequestListener } from 'node:http'

/** The repositories below `root`, anonymously. */
export function gitBackend(root: string): RequestListener
