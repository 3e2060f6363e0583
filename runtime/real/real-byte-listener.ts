// Client sockets over node:net. Read buffers are Node.js's own: `net.Server` has no option to give accepted sockets a reusable one.
import { createServer } from "node:net"
import type { Server, Socket } from "node:net"
import type { ByteConnection, ByteHandlers, ByteListener } from "../byte-listener.ts"

/** How long a connection that was ended waits for its peer to close before it is destroyed. */
const LINGER_MS = 1000

export class RealByteListener implements ByteListener {
  readonly #connections = new Set<RealByteConnection>()
  #server: Server | null = null

  listen(address: string, port: number, accept: (connection: ByteConnection) => ByteHandlers): Promise<{ port: number }> {
    const server = createServer({ noDelay: true }, (socket) => {
      const connection = new RealByteConnection(socket)
      this.#connections.add(connection)
      socket.once("close", () => this.#connections.delete(connection))
      connection.attach(accept(connection))
    })
    this.#server = server
    return new Promise((resolve, reject) => {
      server.once("error", reject)
      server.listen(port, address, 1024, () => {
        server.off("error", reject)
        const bound = server.address()
        resolve({ port: typeof bound === "object" && bound !== null ? bound.port : port })
      })
    })
  }

  stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return Promise.resolve()
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
    for (const connection of this.#connections) connection.destroy()
    return closed
  }
}

class RealByteConnection implements ByteConnection {
  readonly remote: string
  readonly #socket: Socket
  #isEnded = false

  constructor(socket: Socket) {
    this.#socket = socket
    const address = socket.remoteAddress ?? "?"
    this.remote = `${address.includes(":") ? `[${address}]` : address}:${socket.remotePort ?? 0}`
  }

  attach(handlers: ByteHandlers): void {
    const socket = this.#socket
    socket.on("data", (bytes: Buffer) => {
      if (!this.#isEnded) handlers.data(bytes)
    })
    socket.on("drain", () => {
      if (!this.#isEnded) handlers.drain()
    })
    // A reset by the peer is no news: `close` follows.
    socket.on("error", () => {})
    socket.once("close", () => {
      this.#isEnded = true
      handlers.close()
    })
  }

  write(bytes: Uint8Array): boolean {
    return this.#isEnded ? true : this.#socket.write(bytes)
  }
  get hasSentAll(): boolean {
    // Node.js writes at once as far as the kernel takes it, and counts what is left.
    return this.#socket.writableLength === 0
  }
  pause(): void {
    this.#socket.pause()
  }
  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    const socket = this.#socket
    // Closing a socket with unread bytes in it resets the connection, and the peer loses what it has not read yet:
    // the peer's bytes are read and dropped until it closes too.
    socket.resume()
    socket.end()
    const linger = setTimeout(() => socket.destroy(), LINGER_MS).unref()
    socket.once("close", () => clearTimeout(linger))
  }

  destroy(): void {
    this.#isEnded = true
    this.#socket.destroy()
  }
}
