// The native protocol's server side: all client connections of one cluster node.
import type { ByteConnection, ByteHandlers } from "../../runtime/byte-listener.ts"
import type { RequestHandler } from "../request.ts"
import { ClientSession } from "./client-session.ts"
import type { ServerEvent } from "./event.ts"
import { DEFAULT_MAX_FRAME_SIZE } from "./frame.ts"
import { RequestDecoder } from "./request-decoder.ts"
import { ColumnsCache } from "./result-rows.ts"
import { type ConnectionContext, ServerConnection } from "./server-connection.ts"

export interface ProtocolServerOptions {
  readonly handler: RequestHandler
  /** Calls `fn` once at the end of this turn of the event loop (Clock.atTurnEnd). */
  readonly atTurnEnd: (fn: () => void) => void
  /**
   * Called before every write to a socket: what was acknowledged must be with the operating system first. When it throws, other than
   * for a bug, the answers are not sent and the connection ends.
   */
  readonly beforeWrite: () => void
  /** Whether `beforeWrite` has something to do; then answers wait for the end of the turn and share it. Default: never. */
  readonly hasUnwritten?: () => boolean
  /** Told in SUPPORTED; default "3.4.7". */
  readonly cqlVersion?: string
  /** Header included; default 16 MiB. */
  readonly maxFrameSize?: number
  /** Of one connection, above which it is not read; default 8192. */
  readonly maxInFlightRequests?: number
  /** Bytes of the requests in flight of one connection, above which it is not read; default 16 MiB. */
  readonly maxInFlightBytes?: number
  /** Answers are written before the end of the event when so much has gathered; default 64 KiB. */
  readonly earlyFlushBytes?: number
}

export interface ProtocolServer {
  /** For ByteListener.listen. */
  readonly accept: (connection: ByteConnection) => ByteHandlers
  /** The clients that have said STARTUP. */
  clients(): ClientSession[]
  /** Connections, also those that have not said STARTUP. */
  readonly connectionCount: number
  /** Tells the clients that registered for such events. */
  broadcast(event: ServerEvent): void
  /** Refuses new connections. */
  stopAccepting(): void
  /** Refuses new connections, takes no more requests, answers those in flight, ends the connections; resolves when all answers are on their way. */
  drain(): Promise<void>
  /** Closes everything at once. */
  destroy(): void
}

const DEFAULT_CQL_VERSION = "3.4.7"
const DEFAULT_MAX_IN_FLIGHT_REQUESTS = 8192
const DEFAULT_EARLY_FLUSH_BYTES = 64 * 1024

export function createProtocolServer(options: ProtocolServerOptions): ProtocolServer {
  return new Server(options)
}

class Server implements ProtocolServer {
  readonly #connections = new Set<ServerConnection>()
  readonly #context: ConnectionContext
  readonly #atTurnEnd: (fn: () => void) => void
  #waiting: ServerConnection[] = []
  #spare: ServerConnection[] = []
  #isAccepting = true
  #onDrained: () => void = () => {}
  #drained: Promise<void> | null = null

  constructor(options: ProtocolServerOptions) {
    const maxFrameSize = options.maxFrameSize ?? DEFAULT_MAX_FRAME_SIZE
    this.#atTurnEnd = options.atTurnEnd
    this.#context = {
      handler: options.handler,
      decoder: new RequestDecoder(),
      columns: new ColumnsCache(),
      cqlVersion: options.cqlVersion ?? DEFAULT_CQL_VERSION,
      maxFrameSize,
      maxInFlightRequests: options.maxInFlightRequests ?? DEFAULT_MAX_IN_FLIGHT_REQUESTS,
      maxInFlightBytes: options.maxInFlightBytes ?? DEFAULT_MAX_FRAME_SIZE,
      earlyFlushBytes: options.earlyFlushBytes ?? DEFAULT_EARLY_FLUSH_BYTES,
      beforeWrite: options.beforeWrite,
      hasUnwritten: options.hasUnwritten ?? (() => false),
      atTurnEnd: (connection) => this.#waitForTurnEnd(connection),
      closed: (connection) => this.#forget(connection),
      drained: (connection) => this.#forget(connection),
    }
  }

  readonly accept = (connection: ByteConnection): ByteHandlers => {
    const accepted = new ServerConnection(connection, new ClientSession(connection.remote), this.#context)
    this.#connections.add(accepted)
    if (!this.#isAccepting) connection.destroy()
    return accepted
  }

  get connectionCount(): number {
    return this.#connections.size
  }
  clients(): ClientSession[] {
    return [...this.#connections].map((connection) => connection.session).filter((session) => session.ready)
  }
  broadcast(event: ServerEvent): void {
    for (const connection of this.#connections) connection.send(event)
  }
  stopAccepting(): void {
    this.#isAccepting = false
  }
  drain(): Promise<void> {
    this.stopAccepting()
    this.#drained ??= new Promise((resolve) => {
      this.#onDrained = resolve
      for (const connection of this.#connections) connection.startDrain()
      this.#resolveWhenDrained()
    })
    return this.#drained
  }
  destroy(): void {
    this.stopAccepting()
    for (const connection of this.#connections) connection.destroy()
  }

  #waitForTurnEnd(connection: ServerConnection): void {
    this.#waiting.push(connection)
    if (this.#waiting.length === 1) this.#atTurnEnd(this.#turnEnded)
  }
  readonly #turnEnded = (): void => {
    const connections = this.#waiting
    this.#waiting = this.#spare
    for (const connection of connections) connection.turnEnded()
    connections.length = 0
    this.#spare = connections
  }
  #forget(connection: ServerConnection): void {
    this.#connections.delete(connection)
    this.#resolveWhenDrained()
  }
  #resolveWhenDrained(): void {
    if (this.#connections.size === 0) this.#onDrained()
  }
}
