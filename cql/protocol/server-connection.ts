// One client's connection.
//
//   1. Before STARTUP only OPTIONS and STARTUP are understood. STARTUP fixes the version; in v5 everything behind READY
//      travels in segments, both ways.
//   2. Requests are decoded where they lie and given to the handler, whose answers may come at once or later, in any
//      order; each carries its request's stream id.
//   3. Answers are gathered and written once: at the end of the read that brought the requests, or, when they come
//      later or acknowledge writes, at the end of that turn of the event loop. `beforeWrite` is called before every write.
//
// Back pressure: reading stops when the requests in flight exceed a number or a total size, or when the client does not
// read its answers; it starts again at half of that. Frames that were read already wait in FrameInput.
//
// Errors: what cannot be trusted any further (an unknown version or opcode, a damaged segment) is told and the connection
// ends. A request that is broken in itself is answered with an error, and the next one is read. Other connections never
// notice. An answer to a request whose connection has gone is dropped.
import { AssertionError, assert, type Buffer } from "../../runtime/pure.ts"
import type { ByteConnection, ByteHandlers } from "../../runtime/byte-listener.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import { InvalidRequestError, ProtocolError, RequestError } from "../errors.ts"
import type { RequestHandler } from "../request.ts"
import type { ClientSession } from "./client-session.ts"
import { type FrameCompression, compressFrame, decompressBody } from "./compression.ts"
import { encodeError } from "./error.ts"
import { encodeEvent, EVENT_STREAM, type EventType, eventType, type ServerEvent } from "./event.ts"
import { beginFrame, endFrame, FatalProtocolError, FRAME_FLAG, FRAME_HEADER_SIZE, frameStream, RESPONSE_BIT } from "./frame.ts"
import { FrameInput, type FrameSink } from "./frame-input.ts"
import { isOpcode, isRequestOpcode, OPCODE, type Opcode, opcodeName } from "./opcode.ts"
import { OutputBuffer } from "./output-buffer.ts"
import { decodePrepare } from "./prepare.ts"
import { writeMessageList } from "./primitives.ts"
import { decodeQuery } from "./query.ts"
import { decodeRegister } from "./register.ts"
import type { RequestDecoder } from "./request-decoder.ts"
import type { ColumnsCache } from "./result-rows.ts"
import { type ReplyOwner, ServerReply } from "./server-reply.ts"
import { decodeStartup } from "./startup.ts"
import { encodeSupported } from "./supported.ts"
import { hasSegments, hasWarnings, versionName } from "./version.ts"

/** What the connections of one server share. */
export interface ConnectionContext {
  readonly handler: RequestHandler
  readonly decoder: RequestDecoder
  readonly columns: ColumnsCache
  readonly cqlVersion: string
  readonly maxFrameSize: number
  readonly maxInFlightRequests: number
  readonly maxInFlightBytes: number
  readonly earlyFlushBytes: number
  beforeWrite(): void
  /** Something was acknowledged that `beforeWrite` has yet to hand over. */
  hasUnwritten(): boolean
  /** Asks for `turnEnded` at the end of this turn of the event loop. */
  atTurnEnd(connection: ServerConnection): void
  /** The connection is gone. */
  closed(connection: ServerConnection): void
  /** The last answer of a connection that is being drained is on its way. */
  drained(connection: ServerConnection): void
}

export class ServerConnection implements ByteHandlers, FrameSink, ReplyOwner {
  readonly session: ClientSession
  readonly columns: ColumnsCache
  stopped = false
  readonly #context: ConnectionContext
  readonly #connection: ByteConnection
  readonly #input: FrameInput
  readonly #output = new OutputBuffer()
  readonly #replies: ServerReply[] = []
  readonly #events = new Set<EventType>()
  #frameCompression: FrameCompression | null = null
  #inEvent = false
  #waitsForTurnEnd = false
  #blocked = false
  #draining = false
  #closed = false
  #inFlight = 0
  #inFlightBytes = 0
  #frameStart = 0

  constructor(connection: ByteConnection, session: ClientSession, context: ConnectionContext) {
    this.#connection = connection
    this.session = session
    this.#context = context
    this.columns = context.columns
    this.#input = new FrameInput(this, context.maxFrameSize)
  }

  get version(): number {
    return this.session.version
  }
  get inFlight(): number {
    return this.#inFlight
  }

  data(bytes: Buffer): void {
    if (this.#closed) return
    const { handler } = this.#context
    this.#inEvent = true
    handler.readBegins?.()
    try {
      this.#input.receive(bytes)
    } catch (error) {
      this.#fail(error)
    }
    handler.readEnds?.()
    this.#inEvent = false
    this.#flushOrWait()
    if (this.stopped) this.#goOn()
  }
  drain(): void {
    this.#blocked = false
    if (this.stopped) this.#goOn()
  }
  close(): void {
    this.#closed = true
    this.#input.close()
    this.#context.closed(this)
  }

  /** The end of a turn in which answers came that no read was waiting for. */
  turnEnded(): void {
    this.#waitsForTurnEnd = false
    this.#flush()
    if (this.stopped) this.#goOn()
  }

  /** Takes no more requests; answers what is in flight, then ends. */
  startDrain(): void {
    this.#draining = true
    this.#stop()
    this.#endWhenDrained()
  }
  destroy(): void {
    if (!this.#closed) this.#connection.destroy()
  }

  /** Tells the client, if it registered for such events. */
  send(event: ServerEvent): void {
    if (this.#closed || !this.#events.has(eventType(event))) return
    const out = this.#output.writer
    this.#frameStart = beginFrame(out, this.version, 0, EVENT_STREAM, OPCODE.event)
    encodeEvent(out, this.version, event)
    this.#endFrame()
  }

  frame(bytes: Buffer, at: number, end: number): void {
    const first = bytes[at] as number
    const version = first & ~RESPONSE_BIT
    const stream = frameStream(bytes, at)
    const opcode = bytes[at + 4] as number
    if (!isOpcode(opcode)) throw new FatalProtocolError("Unknown opcode " + opcode, stream, version)
    if ((first & RESPONSE_BIT) !== 0 || !isRequestOpcode(opcode)) failDirection(first, opcode, stream)
    if (!this.session.ready) this.#beforeStartup(bytes, at, end, version, stream, opcode)
    else if (version !== this.session.version) failVersionChange(version, this.session.version, stream)
    else this.#request(bytes, at, end, stream, opcode)
  }

  tooLarge(version: number, stream: number, size: number): void {
    const message = `Request is too big: length ${size} exceeds maximum allowed length ${this.#context.maxFrameSize}.`
    this.#sendError(version, stream, new InvalidRequestError(message))
  }

  #request(bytes: Buffer, at: number, end: number, stream: number, opcode: Opcode): void {
    const flags = bytes[at + 1] as number
    this.session.requestCount++
    const reply = this.#replies.pop() ?? new ServerReply(this.session, this)
    reply.open(stream, end - at, (flags & FRAME_FLAG.tracing) !== 0)
    this.#inFlight++
    this.#inFlightBytes += end - at
    try {
      const { body } = this.#context.decoder
      body.reset(bytes, at + FRAME_HEADER_SIZE, end)
      if (flags !== 0) this.#openBody(flags)
      this.#dispatch(opcode, reply)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      reply.error(error)
    }
    if (this.#isOverBound(1)) this.#stop()
  }

  // Compression and what may stand in front of a body.
  #openBody(flags: number): void {
    const { body } = this.#context.decoder
    if ((flags & FRAME_FLAG.compressed) !== 0 && !hasSegments(this.version)) {
      if (this.#frameCompression === null) throw new ProtocolError("Received a compressed frame, but no compression was negotiated")
      const plain = decompressBody(body.buffer, body.at, body.end, this.#context.maxFrameSize, this.#frameCompression)
      body.reset(plain, 0, plain.length)
    }
    if ((flags & FRAME_FLAG.customPayload) !== 0) {
      if (!hasWarnings(this.version)) throw new ProtocolError("Must not send frame with CUSTOM_PAYLOAD flag for native protocol version < 4")
      body.skipBytesMap()
    }
  }

  #dispatch(opcode: Opcode, reply: ServerReply): void {
    const { handler, decoder } = this.#context
    const { body, options } = decoder
    const version = this.version
    switch (opcode) {
      case OPCODE.execute: {
        const { execute } = decoder
        execute.read(body, version, options)
        reply.skipMetadata = options.skipMetadata
        handler.execute(execute.id, execute.resultMetadataId, options, reply)
        return
      }
      case OPCODE.query: {
        const text = decodeQuery(body, version, options)
        reply.skipMetadata = options.skipMetadata
        handler.query(text, options, reply)
        return
      }
      case OPCODE.prepare: {
        const { text, keyspace } = decodePrepare(body, version)
        handler.prepare(text, keyspace, reply)
        return
      }
      case OPCODE.batch: {
        const { batch } = decoder
        batch.read(body, version, options)
        handler.batch(batch.type, batch.entries, options, reply)
        return
      }
      case OPCODE.register:
        for (const type of decodeRegister(body)) this.#events.add(type)
        this.beginReply(reply, OPCODE.ready)
        this.endReply(reply)
        return
      case OPCODE.options:
        encodeSupported(this.beginReply(reply, OPCODE.supported), this.#context.cqlVersion)
        this.endReply(reply)
        return
      case OPCODE.startup:
        throw new ProtocolError("Unexpected message STARTUP, the connection is already initialized")
      default:
        throw new ProtocolError(`Unexpected message ${opcodeName(opcode)}, the connection needs no authentication`)
    }
  }

  #beforeStartup(bytes: Buffer, at: number, end: number, version: number, stream: number, opcode: Opcode): void {
    const { body } = this.#context.decoder
    const out = this.#output.writer
    body.reset(bytes, at + FRAME_HEADER_SIZE, end)
    try {
      if (opcode === OPCODE.options) {
        this.#frameStart = beginFrame(out, version, 0, stream, OPCODE.supported)
        encodeSupported(out, this.#context.cqlVersion)
        this.#endFrame()
      } else if (opcode === OPCODE.startup) {
        this.#startup(version, stream)
      } else {
        throw new ProtocolError(`Unexpected message ${opcodeName(opcode)}, expecting STARTUP or OPTIONS`)
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.#sendError(version, stream, error)
    }
  }

  #startup(version: number, stream: number): void {
    const { options, compression } = decodeStartup(this.#context.decoder.body, version)
    this.#frameStart = beginFrame(this.#output.writer, version, 0, stream, OPCODE.ready)
    this.#endFrame()
    this.session.start(version, options)
    const compressed = compression !== null
    if (hasSegments(version)) {
      // READY itself is the last message outside a segment.
      this.#flush()
      this.#output.startSegments(compressed)
      this.#input.startSegments(version, compressed)
    } else {
      this.#frameCompression = compression
    }
  }

  beginReply(reply: ServerReply, opcode: Opcode): ByteWriter {
    assert(!reply.answered, "a request is answered once")
    reply.answered = true
    const out = this.#output.writer
    const { tracingId } = reply
    const warnings = reply.warnings !== null && hasWarnings(this.version) ? reply.warnings : null
    const flags = (tracingId === null ? 0 : FRAME_FLAG.tracing) | (warnings === null ? 0 : FRAME_FLAG.warning)
    this.#frameStart = beginFrame(out, this.version, flags, reply.stream, opcode)
    if (tracingId !== null) out.bytes(tracingId)
    if (warnings !== null) writeMessageList(out, warnings)
    return out
  }

  dropReply(reply: ServerReply): void {
    reply.answered = false
    this.#output.writer.length = this.#frameStart
  }

  endReply(reply: ServerReply): void {
    this.#inFlight--
    this.#inFlightBytes -= reply.requestSize
    this.#replies.push(reply)
    this.#endFrame()
  }

  #endFrame(): void {
    const out = this.#output.writer
    if (this.#closed) {
      out.length = this.#frameStart
      return
    }
    if (this.#frameCompression !== null) compressFrame(out, this.#frameStart, this.#frameCompression)
    endFrame(out, this.#frameStart)
    if (this.#output.pending > this.#context.earlyFlushBytes) this.#flush()
    if (!this.#inEvent) this.#flushAtTurnEnd()
  }

  #sendError(version: number, stream: number, error: RequestError): void {
    const out = this.#output.writer
    this.#frameStart = beginFrame(out, version, 0, stream, OPCODE.error)
    encodeError(out, version, error)
    this.#endFrame()
  }

  // Answers to writes wait for the end of the turn, so that all connections read in it share one write to the commit log:
  // with one request per read that is half of what the request costs.
  #flushOrWait(): void {
    if (this.#output.pending === 0 || !this.#context.hasUnwritten()) this.#flush()
    else this.#flushAtTurnEnd()
  }

  #flushAtTurnEnd(): void {
    if (this.#waitsForTurnEnd) return
    this.#waitsForTurnEnd = true
    this.#context.atTurnEnd(this)
  }

  #flush(): void {
    if (this.#closed || this.#output.pending === 0) return
    try {
      this.#context.beforeWrite()
    } catch (error) {
      if (error instanceof AssertionError || error instanceof TypeError || error instanceof RangeError) throw error
      // What these answers say cannot be kept (the commit log has failed): none of them may leave.
      this.destroy()
      return
    }
    const isTaken = this.#connection.write(this.#output.take())
    this.#output.taken(this.#connection.hasSentAll === true)
    if (!isTaken) {
      this.#blocked = true
      this.#stop()
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof FatalProtocolError)) throw error
    this.#frameCompression = null
    this.#sendError(this.session.ready ? this.version : error.version, error.stream, error)
    this.#flush()
    this.#end()
  }

  // Nothing is read or written any more; what was written is still sent.
  #end(): void {
    this.#closed = true
    this.#input.close()
    this.#connection.end()
  }

  #isOverBound(share: number): boolean {
    return (
      this.#blocked || this.#inFlight > this.#context.maxInFlightRequests * share || this.#inFlightBytes > this.#context.maxInFlightBytes * share
    )
  }
  #stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.#connection.pause()
  }

  // Whether what stopped the reading is over: then first what was held, then the socket.
  #goOn(): void {
    if (this.#draining) return this.#endWhenDrained()
    if (this.#closed || this.#isOverBound(0.5)) return
    this.stopped = false
    this.#inEvent = true
    try {
      this.#input.resume()
    } catch (error) {
      this.#fail(error)
    }
    this.#inEvent = false
    this.#flush()
    if (!this.stopped && !this.#closed) this.#connection.resume()
  }

  #endWhenDrained(): void {
    if (this.#closed || this.#inFlight > 0) return
    this.#flush()
    this.#end()
    this.#context.drained(this)
  }
}

function failDirection(first: number, opcode: Opcode, stream: number): never {
  const [expected, got] = isRequestOpcode(opcode) ? ["REQUEST", "RESPONSE"] : ["RESPONSE", "REQUEST"]
  const message = `Wrong protocol direction (expected ${expected}, got ${got}) for opcode ${opcode} (${opcodeName(opcode)})`
  throw new FatalProtocolError(message, stream, first & ~RESPONSE_BIT)
}

function failVersionChange(version: number, established: number, stream: number): never {
  throw new FatalProtocolError(
    `Invalid message version. Got ${versionName(version)} but previous messages on this connection had version ${versionName(established)}`,
    stream, established,
  )
}
