// What the protocol hands to whoever runs statements, and what comes back: the seam between `cql/protocol` and
// `coordinator/execute.ts`.
import type { ByteWriter } from "../data/bytes.ts"
import type { Consistency, RequestError } from "./errors.ts"
import type { PreparedDescription, ResultMetadata } from "./metadata.ts"

/**
 * Bound values as they lie in the client's frame: nothing is copied or decoded until a plan asks.
 * Value i is `buffer[offsets[i], offsets[i] + lengths[i])`; a length of -1 is null, -2 is unset.
 */
export interface BoundValues {
  readonly buffer: Buffer
  readonly count: number
  readonly offsets: Int32Array
  readonly lengths: Int32Array
  /** Non-null: the values were sent by name. */
  readonly names: readonly string[] | null
}

export interface QueryOptions {
  readonly consistency: Consistency
  readonly serialConsistency: Consistency
  readonly values: BoundValues
  readonly skipMetadata: boolean
  /** Rows per page; 0: no paging. */
  readonly pageSize: number
  readonly pagingState: Buffer | null
  /** The client's default timestamp in microseconds; `hasTimestamp` false: the server's clock. */
  readonly hasTimestamp: boolean
  readonly timestampHigh: number
  readonly timestampLow: number
  /** v5: keyspace for this request. */
  readonly keyspace: string | null
  /** v5: the client's idea of now; -1: the server's. */
  readonly nowSeconds: number
}

/** What the server remembers of one client connection. */
export interface ClientState {
  /** "address:port". */
  readonly remote: string
  readonly version: number
  keyspace: string | null
  readonly driverName: string
  readonly driverVersion: string
}

/** One request's answer: exactly one of the methods that answer is called, now or later. */
export interface Reply {
  readonly client: ClientState
  /** Set before answering: sent with the answer (v4 on). */
  warnings: string[] | null
  /** True when the client asked for tracing. */
  readonly traced: boolean
  /** Set before answering a traced request: 16 bytes. */
  tracingId: Buffer | null
  void(): void
  /** `rows` holds `count` rows of [bytes] values and is copied. `metadata` is left out when the client asked so and its id is the current one. */
  rows(metadata: ResultMetadata, skipMetadata: boolean, metadataChanged: boolean, pagingState: Buffer | null, count: number, rows: Buffer): void
  /**
   * `rows` in parts: the metadata now, then whoever is asked appends rows to what this returns, then `endRows` with their number
   * and the paging state, or `dropRows` as if this had never been called. REQUIRES: nothing else is answered in between.
   */
  beginRows(metadata: ResultMetadata, skipMetadata: boolean, metadataChanged: boolean): ByteWriter
  endRows(pagingState: Buffer | null, count: number): void
  dropRows(): void
  setKeyspace(keyspace: string): void
  prepared(statement: PreparedDescription): void
  schemaChange(event: SchemaEvent): void
  error(error: RequestError): void
}

/** SCHEMA_CHANGE, as result and as event. `target` TABLE is also a view's. */
export interface SchemaEvent {
  readonly change: "CREATED" | "UPDATED" | "DROPPED"
  readonly target: "KEYSPACE" | "TABLE" | "TYPE" | "FUNCTION" | "AGGREGATE"
  readonly keyspace: string
  /** Empty for a keyspace. */
  readonly name: string
  readonly argumentTypes?: readonly string[]
}
export interface StatusEvent {
  readonly kind: "status"
  readonly change: "UP" | "DOWN"
  readonly address: string
  readonly port: number
}
export interface TopologyEvent {
  readonly kind: "topology"
  readonly change: "NEW_NODE" | "REMOVED_NODE"
  readonly address: string
  readonly port: number
}

export type BatchType = "LOGGED" | "UNLOGGED" | "COUNTER"

/** One statement of a BATCH message: a query text or the id of a prepared statement (latin1), with its values. */
export interface BatchEntry {
  readonly query: string | null
  readonly preparedId: string | null
  readonly values: BoundValues
}

/**
 * Runs requests. Options, values and buffers are valid during the call only. Errors thrown from these methods are sent
 * as the answer: a RequestError as it is, anything else is a bug and ends the process.
 */
export interface RequestHandler {
  /** The requests until `readEnds` came in one read from a socket, after which nothing else came in: they may share the time. */
  readBegins?(): void
  readEnds?(): void
  query(text: string, options: QueryOptions, reply: Reply): void
  prepare(text: string, keyspace: string | null, reply: Reply): void
  /** `id`: the 16 bytes as a latin1 string. `resultMetadataId`: what the client knows (v5), latin1, or null. */
  execute(id: string, resultMetadataId: string | null, options: QueryOptions, reply: Reply): void
  batch(type: BatchType, entries: readonly BatchEntry[], options: QueryOptions, reply: Reply): void
}
