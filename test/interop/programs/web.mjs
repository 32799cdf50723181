// Repositories of git at /git/, and what else is in a folder as files: web.mjs FOLDER PORT.
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { gitBackend } from './git-backend.mjs'

const [folder, port] = process.argv.slice(2)
const git = gitBackend(folder)
createServer((request, response) => {
  if (request.url.startsWith('/git/')) return git(request, response)
  try {
    const path = join(folder, new URL(request.url, 'http://far').pathname)
    const isFolder = statSync(path).isDirectory()
    response.setHeader('Content-Type', isFolder ? 'text/html' : 'application/octet-stream')
    createReadStream(isFolder ? join(path, 'index.html') : path).pipe(response)
  } catch {
    response.writeHead(404).end()
  }
}).listen(Number(port), '::', () => console.log('listening'))
