// RabbitMQ with amqplib. It takes no connection of ours but, as a socket option, the `path` of a unix socket that leads to one.
//   AMQP_URL=amqp://deploy:secret@mq.internal node amqplib.js deploy.conf
// prints
//   received: release 1.2.3
import amqp from 'amqplib'
import { openTunnel } from 'tunless'
import { openForward } from './lib/forward.js'

const url = new URL(process.env.AMQP_URL)
const port = Number(url.port) || (url.protocol === 'amqps:' ? 5671 : 5672)
const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const forward = await openForward(tunnel, { host: url.hostname, port })
try {
  const connection = await amqp.connect(url.href, { path: forward.path })
  const channel = await connection.createConfirmChannel()
  const { queue } = await channel.assertQueue('', { exclusive: true })
  channel.sendToQueue(queue, Buffer.from('release 1.2.3'))
  await channel.waitForConfirms()
  const message = await channel.get(queue, { noAck: true })
  console.log('received:', message.content.toString())
  await connection.close()
} finally {
  await forward.close()
  await tunnel.close()
}
