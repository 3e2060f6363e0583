// The answer to one request. Replies are pooled: one is taken when a request arrives and goes back when it is answered,
// so a handler must forget it then.
import type { Buffer } from "../../runtime/pure.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import type { RequestError } from "../errors.ts"
import type { PreparedDescription, ResultMetadata } from "../metadata.ts"
import type { ClientState, Reply, SchemaEvent } from "../request.ts"
import { encodeError } from "./error.ts"
import { OPCODE, type Opcode } from "./opcode.ts"
import { encodeSetKeyspace, encodeVoid } from "./result-kind.ts"
import { encodePrepared } from "./result-prepared.ts"
import { type ColumnsCache, beginRows, encodeRows, endRows } from "./result-rows.ts"
import { encodeSchemaChange } from "./result-schema-change.ts"

/** The connection, as its replies see it. */
export interface ReplyOwner {
  readonly columns: ColumnsCache
  readonly version: number
  /** Begins the frame that answers `reply`. A bug when it has been answered already. */
  beginReply(reply: ServerReply, opcode: Opcode): ByteWriter
  /** Ends that frame; the reply may serve another request from now on. */
  endReply(reply: ServerReply): void
  /** Forgets the frame that was begun last. */
  dropReply(reply: ServerReply): void
}

export class ServerReply implements Reply {
  readonly client: ClientState
  warnings: string[] | null = null
  traced = false
  tracingId: Buffer | null = null
  /** Of the request. */
  stream = 0
  requestSize = 0
  skipMetadata = false
  answered = true
  readonly #owner: ReplyOwner
  // Between `beginRows` and `endRows`.
  #out: ByteWriter | null = null
  #rowsFrom = 0
  #rowCountAt = 0

  constructor(client: ClientState, owner: ReplyOwner) {
    this.client = client
    this.#owner = owner
  }

  /** Takes on a request. */
  open(stream: number, requestSize: number, traced: boolean): void {
    this.stream = stream
    this.requestSize = requestSize
    this.traced = traced
    this.tracingId = null
    this.warnings = null
    this.skipMetadata = false
    this.answered = false
  }

  void(): void {
    encodeVoid(this.#owner.beginReply(this, OPCODE.result))
    this.#owner.endReply(this)
  }
  rows(metadata: ResultMetadata, skipMetadata: boolean, metadataChanged: boolean, pagingState: Buffer | null, count: number, rows: Buffer): void {
    const owner = this.#owner
    const out = owner.beginReply(this, OPCODE.result)
    encodeRows(out, owner.version, owner.columns, metadata, skipMetadata && this.skipMetadata, metadataChanged, pagingState, count, rows)
    owner.endReply(this)
  }
  beginRows(metadata: ResultMetadata, skipMetadata: boolean, metadataChanged: boolean): ByteWriter {
    const owner = this.#owner
    const out = owner.beginReply(this, OPCODE.result)
    this.#out = out
    this.#rowsFrom = out.length
    this.#rowCountAt = beginRows(out, owner.version, owner.columns, metadata, skipMetadata && this.skipMetadata, metadataChanged)
    return out
  }
  endRows(pagingState: Buffer | null, count: number): void {
    endRows(this.#out as ByteWriter, this.#rowsFrom, this.#rowCountAt, pagingState, count)
    this.#owner.endReply(this)
  }
  dropRows(): void {
    this.#owner.dropReply(this)
  }
  setKeyspace(keyspace: string): void {
    encodeSetKeyspace(this.#owner.beginReply(this, OPCODE.result), keyspace)
    this.#owner.endReply(this)
  }
  prepared(statement: PreparedDescription): void {
    encodePrepared(this.#owner.beginReply(this, OPCODE.result), this.#owner.version, this.#owner.columns, statement)
    this.#owner.endReply(this)
  }
  schemaChange(event: SchemaEvent): void {
    encodeSchemaChange(this.#owner.beginReply(this, OPCODE.result), this.#owner.version, event)
    this.#owner.endReply(this)
  }
  error(error: RequestError): void {
    encodeError(this.#owner.beginReply(this, OPCODE.error), this.#owner.version, error)
    this.#owner.endReply(this)
  }
}
