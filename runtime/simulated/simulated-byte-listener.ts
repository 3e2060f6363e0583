// Client sockets in memory: a hub knows who listens where, and clients of a test connect through it.
//
// Bytes arrive in order, after a delay, in pieces cut at arbitrary places when there is a generator to draw them from; a reader
// that relies on message boundaries is found out. More than HIGH_WATER_BYTES under way and `write` says false; `drain` follows when
// all has arrived. The bytes of a piece are overwritten after the handler has returned.
import type { ByteConnection, ByteHandlers, ByteListener } from "../byte-listener.ts"
import { Buffer } from "../pure.ts"
import type { Random } from "../random.ts"
import type { Owner, Scheduler } from "./scheduler.ts"

const HIGH_WATER_BYTES = 64 * 1024
const MAX_PIECE_SIZE = 64 * 1024
const LATENCY_MS = 0.05

export interface ByteHubOptions {
  readonly scheduler: Scheduler
  readonly random?: Random
}

export class SimulatedByteHub {
  readonly scheduler: Scheduler
  readonly random: Random | null
  readonly #listeners = new Map<string, SimulatedByteListener>()
  #nextPort = 49152

  constructor(options: ByteHubOptions) {
    this.scheduler = options.scheduler
    this.random = options.random ?? null
  }

  /** `owner` is the clock of the process that listens: when it dies, its connections do. */
  listener(owner: Owner | null = null): SimulatedByteListener {
    return new SimulatedByteListener(this, owner)
  }

  /** Connects a client. Throws an Error with code ECONNREFUSED when nobody listens there. */
  connect(address: string, port: number, handlers: ByteHandlers): ByteConnection {
    const listener = this.#listeners.get(`${address}:${port}`)
    if (listener === undefined) throw withCode("ECONNREFUSED", `connect to ${address}:${port}`)
    const client = new SimulatedConnection(this, `${address}:${port}`, null)
    const server = new SimulatedConnection(this, `10.9.9.9:${this.freePort()}`, listener.owner)
    client.join(server)
    server.join(client)
    client.handlers = handlers
    listener.accept(server)
    return client
  }

  freePort(): number {
    return this.#nextPort++
  }
  add(address: string, port: number, listener: SimulatedByteListener): void {
    const key = `${address}:${port}`
    if (this.#listeners.has(key)) throw withCode("EADDRINUSE", `listen at ${key}`)
    this.#listeners.set(key, listener)
  }
  removeListener(listener: SimulatedByteListener): void {
    for (const [key, other] of this.#listeners) if (other === listener) this.#listeners.delete(key)
  }
}

export class SimulatedByteListener implements ByteListener {
  readonly owner: Owner | null
  readonly #hub: SimulatedByteHub
  readonly #connections = new Set<SimulatedConnection>()
  #accept: ((connection: ByteConnection) => ByteHandlers) | null = null

  constructor(hub: SimulatedByteHub, owner: Owner | null) {
    this.#hub = hub
    this.owner = owner
  }

  listen(address: string, port: number, accept: (connection: ByteConnection) => ByteHandlers): Promise<{ port: number }> {
    const bound = port === 0 ? this.#hub.freePort() : port
    try {
      this.#hub.add(address, bound, this)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    this.#accept = accept
    return Promise.resolve({ port: bound })
  }

  accept(connection: SimulatedConnection): void {
    this.#connections.add(connection)
    connection.onClosed = () => this.#connections.delete(connection)
    if (this.#accept !== null) connection.handlers = this.#accept(connection)
  }

  stop(): Promise<void> {
    this.#hub.removeListener(this)
    for (const connection of this.#connections) connection.destroy()
    return Promise.resolve()
  }

  /** The process is gone without a word: its clients see their connections closed, its own handlers are not called. */
  kill(): void {
    void this.stop()
  }
}

class SimulatedConnection implements ByteConnection {
  readonly remote: string
  handlers: ByteHandlers | null = null
  onClosed: () => void = () => {}
  readonly #hub: SimulatedByteHub
  readonly #owner: Owner | null
  #other: SimulatedConnection | null = null
  /** Pieces that were written and have not arrived. */
  readonly #underWay: Buffer[] = []
  #bytesUnderWay = 0
  #isDeliveryDue = false
  #needsDrain = false
  #isPaused = false
  #isEnded = false
  #isClosed = false

  constructor(hub: SimulatedByteHub, remote: string, owner: Owner | null) {
    this.#hub = hub
    this.remote = remote
    this.#owner = owner
  }

  join(other: SimulatedConnection): void {
    this.#other = other
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isEnded || this.#isClosed) return true
    if (bytes.length > 0) {
      this.#underWay.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      this.#bytesUnderWay += bytes.length
      this.#deliverLater()
    }
    if (this.#bytesUnderWay <= HIGH_WATER_BYTES) return true
    this.#needsDrain = true
    return false
  }

  pause(): void {
    this.#isPaused = true
  }
  resume(): void {
    this.#isPaused = false
    if (this.#other !== null) this.#other.#deliverLater()
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    // What the peer still sends is read and dropped.
    this.#isPaused = false
    if (this.#other !== null) this.#other.#deliverLater()
    this.#deliverLater()
  }

  destroy(): void {
    if (this.#isClosed) return
    this.#isEnded = true
    this.#underWay.length = 0
    this.#later(this.#owner, () => this.#close())
    this.#isClosed = true
    const other = this.#other
    if (other !== null) this.#later(other.#owner, () => other.#lost())
    this.onClosed()
  }

  /** The peer has closed. */
  #lost(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#underWay.length = 0
    this.onClosed()
    this.#close()
  }

  #close(): void {
    const { handlers } = this
    this.handlers = null
    handlers?.close()
  }

  #deliverLater(): void {
    const other = this.#other
    if (this.#isDeliveryDue || this.#isClosed || other === null) return
    this.#isDeliveryDue = true
    this.#later(other.#owner, () => {
      this.#isDeliveryDue = false
      this.#deliver(other)
    })
  }

  #deliver(other: SimulatedConnection): void {
    if (this.#isClosed || other.#isClosed || other.#isPaused) return
    const piece = this.#nextPiece()
    if (piece !== null) {
      if (!other.#isEnded) other.handlers?.data(piece)
      piece.fill(0xdd)
    }
    if (this.#underWay.length > 0) this.#deliverLater()
    else if (this.#isEnded) this.destroy()
    else if (this.#needsDrain) {
      this.#needsDrain = false
      this.#later(this.#owner, () => this.handlers?.drain())
    }
  }

  #nextPiece(): Buffer | null {
    const all = Buffer.concat(this.#underWay)
    if (all.length === 0) return null
    this.#underWay.length = 0
    const most = Math.min(all.length, MAX_PIECE_SIZE)
    const size = this.#hub.random === null || this.#hub.random.below(2) === 0 ? most : 1 + this.#hub.random.below(most)
    if (size < all.length) this.#underWay.push(all.subarray(size))
    this.#bytesUnderWay = all.length - size
    return all.subarray(0, size)
  }

  #later(owner: Owner | null, fn: () => void): void {
    this.#hub.scheduler.schedule(LATENCY_MS * 1000, fn, owner)
  }
}

function withCode(code: string, what: string): Error {
  return Object.assign(new Error(`${what}: ${code}`), { code })
}
