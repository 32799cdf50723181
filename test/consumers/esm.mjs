import * as tunless from 'tunless'
import { roundtrip } from './roundtrip.mjs'

console.log(await roundtrip(tunless))
