// The room's face: a tunnel's configuration, from wg-quick's text and back.
export { formatConfig } from './format.js'
export { parseConfig } from './parse.js'
export type * from './types.js'
