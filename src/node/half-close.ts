// FIN and RST of a socket that is relayed. While a FIN is on its way net refuses a RST and never closes the socket, which then
// keeps the process for ever; so a FIN waits for what is before it, and a RST for the FIN.
import type { Duplex } from 'node:stream'

/** A net.Socket or TunnelSocket; a stream without the RST is destroyed instead. */
export interface Resettable extends Duplex {
  resetAndDestroy?(): unknown
}

/** FIN, once everything before it has left. */
export function end(socket: Duplex): void {
  if (socket.writableLength === 0) socket.end()
  else socket.write('', error => error ?? socket.end())
}

/** RST, once a FIN that is on its way has left. */
export function reset(socket: Resettable): void {
  if (socket.destroyed) return
  if (socket.writableEnded && !socket.writableFinished) socket.once('finish', resetNow)
  else resetNow.call(socket)
}

function resetNow(this: Resettable): void {
  if (this.destroyed) return
  if (this.resetAndDestroy === undefined) this.destroy()
  else this.resetAndDestroy()
}
