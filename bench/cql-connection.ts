// A client connection by hand, for what is not measured itself: DDL, PREPARE, single questions. Protocol v4, one request
// at a time. A driver would do, but its start alone costs more than some of what is measured here.
import { type Socket, createConnection } from "node:net"

export const OPCODE = { error: 0, startup: 1, ready: 2, query: 7, result: 8, prepare: 9, execute: 10 } as const
export const HEADER_BYTES = 9

export function frame(opcode: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([4, 0, 0, 0, opcode]), int32(body.length), body])
}
export function startupFrame(): Buffer {
  return frame(OPCODE.startup, Buffer.concat([Buffer.from([0, 1]), shortString("CQL_VERSION"), shortString("3.0.0")]))
}
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
function shortString(text: string): Buffer {
  return Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)])
}
function longString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([int32(bytes.length), bytes])
}

/** What an ERROR's body says. */
export function errorText(body: Buffer): string {
  return `error 0x${body.readInt32BE(0).toString(16)}: ${body.toString("utf8", 6, 6 + body.readUInt16BE(4))}`
}

export class CqlConnection {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void } | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on("data", (bytes) => this.#receive(bytes))
    socket.on("error", (error) => this.#fail(error))
    socket.on("close", () => this.#fail(new Error("the server closed the connection")))
  }

  static async connect(address: string, port: number): Promise<CqlConnection> {
    const socket = createConnection(port, address)
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve)
      socket.once("error", reject)
    })
    const connection = new CqlConnection(socket)
    await connection.#request(startupFrame())
    return connection
  }

  /** Body of the RESULT. Rejects when the answer is an error. */
  query(text: string): Promise<Buffer> {
    return this.#request(frame(OPCODE.query, Buffer.concat([longString(text), Buffer.from([0, 1, 0])])))
  }

  /** The statement's id. */
  async prepare(text: string): Promise<Buffer> {
    const body = await this.#request(frame(OPCODE.prepare, longString(text)))
    return body.subarray(6, 6 + body.readUInt16BE(4))
  }

  close(): void {
    this.#waiting = null
    this.#socket.destroy()
  }

  #request(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(bytes)
    })
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes])
    if (this.#received.length < HEADER_BYTES) return
    const end = HEADER_BYTES + this.#received.readInt32BE(5)
    if (this.#received.length < end) return
    const opcode = this.#received[4]
    const body = this.#received.subarray(HEADER_BYTES, end)
    this.#received = this.#received.subarray(end)
    const waiting = this.#waiting
    this.#waiting = null
    if (opcode === OPCODE.error) waiting?.reject(new Error(errorText(body)))
    else waiting?.resolve(body)
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error)
    this.#waiting = null
  }
}
