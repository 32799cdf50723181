// What a proxy answers by itself: a status, and a sentence that says why and what to do.
import { STATUS_CODES } from 'node:http'
import { explainDial } from '../node/target-error.js'
import type { DialFailure, Target } from './dialer.js'

export interface Answer {
  readonly status: number
  /** A sentence without its full stop. */
  readonly why: string
  /** More headers, as pairs. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

/** Status, and the error of Proxy-Status (RFC 9209, section 2.3). */
const answers: Readonly<Record<DialFailure, readonly [status: number, error: string]>> = {
  denied: [403, 'connection_refused'],
  'unknown-host': [502, 'dns_error'],
  unresolved: [504, 'dns_timeout'],
  'no-route': [502, 'destination_ip_unroutable'],
  unreachable: [502, 'destination_ip_unroutable'],
  refused: [502, 'connection_refused'],
  failed: [502, 'proxy_internal_error'],
  timeout: [504, 'connection_timeout'],
  'no-handshake': [504, 'destination_unavailable'],
}

export function answerFailure(failure: DialFailure, error: unknown, target: Target): Answer {
  const [status, name] = answers[failure]
  const { message } = explainDial(error, target, 0) as Error
  return { status, why: message, headers: [proxyStatus(name)] }
}

/** The connection broke before the response was there. */
export function answerCut(error: unknown): Answer {
  const { message } = error as Error
  return {
    status: 502,
    why: `the connection ended before an answer came (${message}): look at the service's log`,
    headers: [proxyStatus('connection_terminated')],
  }
}

export const unauthorized: Answer = {
  status: 407,
  why: 'this proxy wants a user and a password: http://user:password@host:port',
  headers: [['Proxy-Authenticate', 'Basic realm="tunless", charset="UTF-8"']],
}

function proxyStatus(error: string): [string, string] {
  return ['Proxy-Status', `tunless; error=${error}`]
}

export function bodyOf({ status, why }: Answer): string {
  return `tunless: ${status} ${STATUS_CODES[status]}: ${why}\n`
}

export function headersOf(answer: Answer): [string, string][] {
  return [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(Buffer.byteLength(bodyOf(answer)))],
    ...(answer.headers ?? []).map(([name, value]): [string, string] => [name, value]),
  ]
}

/** The whole answer as bytes, for a socket that no parser of Node's holds. */
export function formatAnswer(answer: Answer, keepAlive: boolean): string {
  const lines = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}`,
    ...headersOf(answer).map(([name, value]) => `${name}: ${value}`),
    `Connection: ${keepAlive ? 'keep-alive' : 'close'}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${bodyOf(answer)}`
}
