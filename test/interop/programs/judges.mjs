// Clients that others wrote ask the proxy of the environment: judges.mjs HOST PORT. Prints what each got, as JSON.
import { Buffer } from 'node:buffer'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { SocksClient } from 'socks'
import { EnvHttpProxyAgent, fetch, ProxyAgent, request, Socks5ProxyAgent } from 'undici'

const [host, port] = process.argv.slice(2)
const hello = `http://${host}:${port}/hello`
const byHttp = process.env.HTTP_PROXY
const bySocks = new URL(process.env.TUNLESS_SOCKS)
const proxy = {
  host: bySocks.hostname,
  port: Number(bySocks.port),
  type: 5,
  userId: bySocks.username,
  password: bySocks.password,
}

/** A query for the A record of web1.corp.test. */
const question = Buffer.from('\0\x07\x01\0\0\x01\0\0\0\0\0\0\x04web1\x04corp\x04test\0\0\x01\0\x01', 'latin1')

const judges = {
  async 'undici by the environment'() {
    return (await fetch(hello, { dispatcher: new EnvHttpProxyAgent() })).text()
  },
  async 'undici by CONNECT'() {
    return (await fetch(hello, { dispatcher: new ProxyAgent({ uri: byHttp, proxyTunnel: true }) })).text()
  },
  async 'undici by whole URLs'() {
    const dispatcher = new ProxyAgent({ uri: byHttp, proxyTunnel: false })
    const body = Buffer.alloc(1e6, 'x')
    const sent = await request(`http://${host}:${port}/`, { method: 'POST', body, dispatcher })
    return (await sent.body.json()).length
  },
  async 'undici by SOCKS5'() {
    const uri = process.env.TUNLESS_SOCKS.replace('socks5h:', 'socks5:')
    return (await fetch(hello, { dispatcher: new Socks5ProxyAgent(uri) })).text()
  },
  async 'socks CONNECT'() {
    const destination = { host, port: Number(port) }
    const { socket } = await SocksClient.createConnection({ proxy, command: 'connect', destination })
    socket.end(`GET /hello HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    let text = ''
    for await (const chunk of socket) text += chunk
    return text.split('\r\n\r\n')[1].includes('hello')
  },
  async 'socks UDP ASSOCIATE'() {
    const client = new SocksClient({ proxy, command: 'associate', destination: { host: '0.0.0.0', port: 0 } })
    const established = once(client, 'established')
    client.on('error', () => {})
    client.connect()
    const [{ remoteHost, socket }] = await established
    const udp = createSocket('udp4')
    const frame = SocksClient.createUDPFrame({ remoteHost: { host, port: 53 }, data: question })
    udp.send(frame, remoteHost.port, remoteHost.host)
    const [message] = await once(udp, 'message')
    const { data, remoteHost: from } = SocksClient.parseUDPFrame(message)
    udp.close()
    socket.destroy()
    return [from.host, [...data.subarray(-4)].join('.')]
  },
  async 'socks BIND'() {
    const destination = { host: '0.0.0.0', port: 0 }
    const client = new SocksClient({ proxy, command: 'bind', destination })
    const failed = once(client, 'error')
    client.connect()
    return (await failed)[0].message
  },
  async 'no credentials'() {
    const socket = connect(Number(new URL(byHttp).port), '127.0.0.1')
    socket.write(`GET ${hello} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    const [chunk] = await once(socket, 'data')
    socket.destroy()
    return String(chunk).split('\r\n')[0]
  },
}

const got = {}
for (const [name, judge] of Object.entries(judges)) {
  try {
    got[name] = await judge()
  } catch (error) {
    got[name] = `${error.message}: ${error.cause?.message}`
  }
}
console.log(JSON.stringify(got))
process.exit()
