// Mail with nodemailer: `getSocket` gives the connection for each message, or for each client of a pool.
//   SMTP_URL=smtp://deploy:secret@mail.internal:587 node nodemailer.js deploy.conf
// prints
//   accepted: team@example.com
import nodemailer from 'nodemailer'
import { openTunnel } from 'tunless'

const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const transport = nodemailer.createTransport({
  url: process.env.SMTP_URL,
  requireTLS: true,
  getSocket({ host, port }, callback) {
    const connection = tunnel.connect({ host, port })
    connection.once('error', callback).once('connect', () => {
      connection.off('error', callback)
      callback(null, { connection })
    })
  },
})
try {
  const { accepted } = await transport.sendMail({
    from: 'deploy@example.com',
    to: 'team@example.com',
    subject: 'Release 1.2.3',
    text: 'It is out.',
  })
  console.log('accepted:', ...accepted)
} finally {
  transport.close()
  await tunnel.close()
}
