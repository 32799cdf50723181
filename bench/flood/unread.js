// A UDP port that nobody reads: bound, and then this process stops itself. The kernel drops what its buffer does not hold.
import { createSocket } from 'node:dgram'

const socket = createSocket({ type: 'udp4' })
socket.bind(0, () => {
  process.send({ port: socket.address().port }, () => process.kill(process.pid, 'SIGSTOP'))
})
