// What a socket can be told when it is made, as net.Socket takes it.

export interface TunnelSocketOptions {
  /** Keep the own side open when the other has ended; false by default, as in net. */
  allowHalfOpen?: boolean | undefined
  /** Destroys the socket when aborted, before it is connected or after. */
  signal?: AbortSignal | undefined
  noDelay?: boolean | undefined
  keepAlive?: boolean | undefined
  /** ms. */
  keepAliveInitialDelay?: number | undefined
  /** Bytes buffered each way before push-back, 64 KiB by default. */
  highWaterMark?: number | undefined
}
