// Client sockets: a stream of bytes each way, with back pressure.

export interface ByteConnection {
  /** "address:port" of the client. */
  readonly remote: string
  /** Copies nothing: `bytes` belongs to the connection afterwards. False when the peer is not reading fast enough: wait for `drain`. */
  write(bytes: Uint8Array): boolean
  /** Everything written has left the process: its bytes belong to the caller again. Missing: they never do. */
  readonly hasSentAll?: boolean
  /** Stops and restarts `data`. */
  pause(): void
  resume(): void
  /** Sends what was written, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

export interface ByteHandlers {
  /** `bytes` is valid during the call only. */
  data(bytes: Buffer): void
  drain(): void
  /** Called exactly once; no other call follows. */
  close(): void
}

export interface ByteListener {
  /** Accepts connections from now on. Rejects with an Error whose `code` is EADDRINUSE etc. */
  listen(address: string, port: number, accept: (connection: ByteConnection) => ByteHandlers): Promise<{ port: number }>
  /** Stops accepting and destroys what is open. */
  stop(): Promise<void>
}
