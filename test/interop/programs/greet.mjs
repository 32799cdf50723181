// Services that say their name and end: greet.mjs NAME PORT… on 127.0.0.1.
import { createServer } from 'node:net'

const [name, ...ports] = process.argv.slice(2)
for (const port of ports) {
  const server = createServer(socket => socket.on('error', () => {}).end(`${name}\n`))
  server.listen(Number(port), '127.0.0.1', () => console.log(`listening on ${port}`))
}
