// A client of one simulated node, without bytes on a wire: statements in, results as plain objects out.
import { CONSISTENCY, type Consistency, RequestError } from "../../cql/errors.ts"
import type { PreparedDescription, ResultMetadata } from "../../cql/metadata.ts"
import type { BatchEntry, BatchType, BoundValues, ClientState, QueryOptions, Reply, RequestHandler, SchemaEvent } from "../../cql/request.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { Buffer } from "../../runtime/pure.ts"

export interface ClientResult {
  readonly kind: "void" | "rows" | "keyspace" | "prepared" | "schema"
  readonly metadata: ResultMetadata | null
  readonly metadataChanged: boolean
  /** Serialised values. */
  readonly rows: readonly (readonly (Buffer | null)[])[]
  readonly pagingState: Buffer | null
  readonly prepared: PreparedDescription | null
  readonly event: SchemaEvent | null
  readonly warnings: readonly string[]
  readonly tracingId: Buffer | null
}

export interface ClientOptions {
  readonly consistency?: Consistency
  readonly values?: readonly (Buffer | null)[]
  readonly pageSize?: number
  readonly pagingState?: Buffer | null
  readonly traced?: boolean
  readonly timestamp?: number
  readonly resultMetadataId?: string | null
}

export function boundValues(values: readonly (Buffer | null)[]): BoundValues {
  const offsets = new Int32Array(values.length)
  const lengths = new Int32Array(values.length)
  let at = 0
  values.forEach((value, index) => {
    offsets[index] = at
    lengths[index] = value === null ? -1 : value.length
    at += value?.length ?? 0
  })
  return { buffer: Buffer.concat(values.filter((value) => value !== null)), count: values.length, offsets, lengths, names: null }
}

export class SimulatedClient {
  readonly state: ClientState = { remote: "10.0.0.99:40000", version: 4, keyspace: null, driverName: "test", driverVersion: "1" }
  readonly #handler: RequestHandler

  constructor(handler: RequestHandler) {
    this.#handler = handler
  }

  query(text: string, options: ClientOptions = {}): Promise<ClientResult> {
    return this.#request(options, (given, reply) => this.#handler.query(text, given, reply))
  }
  prepare(text: string): Promise<ClientResult> {
    return this.#request({}, (_, reply) => this.#handler.prepare(text, null, reply))
  }
  execute(id: Buffer, options: ClientOptions = {}): Promise<ClientResult> {
    return this.#request(options, (given, reply) => this.#handler.execute(id.toString("latin1"), options.resultMetadataId ?? null, given, reply))
  }
  batch(type: BatchType, entries: readonly BatchEntry[], options: ClientOptions = {}): Promise<ClientResult> {
    return this.#request(options, (given, reply) => this.#handler.batch(type, entries, given, reply))
  }

  #request(options: ClientOptions, start: (options: QueryOptions, reply: Reply) => void): Promise<ClientResult> {
    return new Promise((resolve, reject) => {
      const reply = new ClientReply(this.state, options.traced === true, resolve, reject)
      try {
        start(queryOptions(options), reply)
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        reply.error(error)
      }
    })
  }
}

function queryOptions(options: ClientOptions): QueryOptions {
  return {
    consistency: options.consistency ?? CONSISTENCY.quorum, serialConsistency: CONSISTENCY.serial, values: boundValues(options.values ?? []), skipMetadata: false,
    pageSize: options.pageSize ?? 0, pagingState: options.pagingState ?? null, hasTimestamp: options.timestamp !== undefined,
    timestampHigh: Math.floor((options.timestamp ?? 0) / 2 ** 32), timestampLow: (options.timestamp ?? 0) >>> 0, keyspace: null, nowSeconds: -1,
  }
}

class ClientReply implements Reply {
  readonly client: ClientState
  readonly traced: boolean
  warnings: string[] | null = null
  tracingId: Buffer | null = null
  readonly #resolve: (result: ClientResult) => void
  readonly #reject: (error: Error) => void
  #isAnswered = false
  readonly #out = new ByteWriter(64)
  #metadata: ResultMetadata | null = null
  #metadataChanged = false

  constructor(client: ClientState, traced: boolean, resolve: (result: ClientResult) => void, reject: (error: Error) => void) {
    this.client = client
    this.traced = traced
    this.#resolve = resolve
    this.#reject = reject
  }

  void(): void {
    this.#answer({ kind: "void" })
  }
  rows(metadata: ResultMetadata, _skipMetadata: boolean, metadataChanged: boolean, pagingState: Buffer | null, count: number, bytes: Buffer): void {
    const rows: (Buffer | null)[][] = []
    let at = 0
    for (let row = 0; row < count; row++) {
      const values: (Buffer | null)[] = []
      for (let column = 0; column < metadata.columns.length; column++) {
        const size = bytes.readInt32BE(at)
        at += 4
        values.push(size < 0 ? null : Buffer.from(bytes.subarray(at, at + size)))
        at += Math.max(0, size)
      }
      rows.push(values)
    }
    if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes behind the last row`)
    this.#answer({ kind: "rows", metadata, metadataChanged, rows, pagingState: pagingState === null ? null : Buffer.from(pagingState) })
  }
  beginRows(metadata: ResultMetadata, _skipMetadata: boolean, metadataChanged: boolean): ByteWriter {
    this.#metadata = metadata
    this.#metadataChanged = metadataChanged
    this.#out.reset()
    return this.#out
  }
  endRows(pagingState: Buffer | null, count: number): void {
    this.rows(this.#metadata as ResultMetadata, false, this.#metadataChanged, pagingState, count, this.#out.view())
  }
  dropRows(): void {
    this.#out.reset()
  }
  setKeyspace(): void {
    this.#answer({ kind: "keyspace" })
  }
  prepared(prepared: PreparedDescription): void {
    this.#answer({ kind: "prepared", prepared })
  }
  schemaChange(event: SchemaEvent): void {
    this.#answer({ kind: "schema", event })
  }
  error(error: RequestError): void {
    this.#once()
    this.#reject(error)
  }

  #once(): void {
    if (this.#isAnswered) throw new Error("a request is answered once")
    this.#isAnswered = true
  }
  #answer(part: Partial<ClientResult> & Pick<ClientResult, "kind">): void {
    this.#once()
    this.#resolve({
      metadata: null, metadataChanged: false, rows: [], pagingState: null, prepared: null, event: null, warnings: this.warnings ?? [], tracingId: this.tracingId, ...part,
    })
  }
}
