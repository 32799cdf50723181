// Many connections at once: many.mjs COUNT PORT HOST dials HOST:8000 that often through the SOCKS5 proxy on 127.0.0.1:PORT, waits
// until every connection stands, then sends a request on each; prints how many answered as they should.
import { once } from 'node:events'
import { connect } from 'node:net'

const [count, port, host] = process.argv.slice(2)

async function dial() {
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(Buffer.from([5, 1, 0]))
  const [method] = await once(socket, 'data')
  if (method[1] !== 0) throw new Error(`method ${method[1]}`)
  const name = Buffer.from(host)
  const target = Buffer.alloc(2)
  target.writeUInt16BE(8000)
  socket.write(Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, target]))
  const [reply] = await once(socket, 'data')
  if (reply[1] !== 0) throw new Error(`reply ${reply[1]}`)
  return socket
}

async function ask(socket) {
  socket.write('GET /hello HTTP/1.1\r\nHost: far\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const chunk of socket.setEncoding('utf8')) answer += chunk
  return answer.includes('200 OK') && answer.includes('hello')
}

const sockets = await Promise.all(Array.from({ length: Number(count) }, dial))
const answers = await Promise.all(sockets.map(ask))
console.log(answers.filter(Boolean).length)
