// Git's own CGI behind Node's HTTP server: the repositories below a folder, to clone and to push to.
import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'

export function gitBackend(root) {
  const folder = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()
  return (request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://far')
    const child = spawn(join(folder, 'git-http-backend'), {
      env: {
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        REMOTE_USER: 'test',
        REMOTE_ADDR: '10.7.0.2',
      },
    })
    request.pipe(child.stdin)
    child.stdin.on('error', () => {})
    let head = Buffer.alloc(0)
    child.stdout.on('data', chunk => {
      if (response.headersSent) {
        response.write(chunk)
        return
      }
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      const fields = head
        .toString('latin1', 0, end)
        .split('\r\n')
        .map(line => line.split(': '))
      const status = fields.find(([name]) => name === 'Status')?.[1]
      response.writeHead(status === undefined ? 200 : Number.parseInt(status, 10), fields.flat())
      response.write(head.subarray(end + 4))
    })
    child.stdout.on('end', () => response.end())
  }
}
