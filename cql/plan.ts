// A statement compiled against one schema: what the coordinator runs. Compiling is cold, binding is hot.
import type { ByteWriter } from "../data/bytes.ts"
import type { DirectRead, DirectSink } from "../data/direct-read.ts"
import type { MutationWriter } from "../data/mutation.ts"
import type { RowSink } from "../data/local-store.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { Schema, SchemaDescriptor, TableSchema } from "../data/schema.ts"
import type { PreparedDescription, ResultMetadata } from "./metadata.ts"
import type { BatchType, BoundValues, QueryOptions, SchemaEvent } from "./request.ts"

/** A compiled statement, whether it came by PREPARE or QUERY. */
export interface Prepared extends PreparedDescription {
  readonly text: string
  /** The keyspace the session had. */
  readonly keyspace: string | null
  readonly plan: Plan
  /** The schema it was compiled against; compiled again when `Schema.version` differs. */
  readonly schemaVersion: string
  readonly warnings: readonly string[]
}

export type Plan = ReadPlan | WritePlan | BatchPlan | CasPlan | SchemaPlan | UsePlan | TruncatePlan | DescribePlan

export interface EncodeContext {
  /** Where mutations are written, one behind the other; not reset by the plan. */
  readonly writer: MutationWriter
  /** The request's timestamp unless the statement says USING TIMESTAMP. */
  readonly timestampHigh: number
  readonly timestampLow: number
  readonly nowSeconds: number
}

/** A read that a write needs first. */
export interface PriorRead {
  readonly command: ReadCommand
  readonly sink: RowSink
}

/** What a write must know of the rows it changes: run all reads, then encode with it. */
export interface PriorRows {
  readonly reads: readonly PriorRead[]
}

export interface WritePlan {
  readonly kind: "write"
  readonly table: TableSchema
  /** Operations on lists that start from the list as it is: `encode` needs what `prior` asks for. */
  readonly readsFirst: boolean
  /** Throws InvalidRequestError. Keeps no reference to the values. */
  prior(values: BoundValues, nowSeconds: number): PriorRows
  /**
   * Writes the statement's mutations (one per partition key) and returns how many. Throws InvalidRequestError before anything
   * is written. REQUIRES: `prior`, read, when `readsFirst`.
   */
  encode(values: BoundValues, context: EncodeContext, prior?: PriorRows): number
}

export interface BatchPlan {
  readonly kind: "batch"
  readonly type: BatchType
  readonly statements: readonly WritePlan[]
  readonly readsFirst: boolean
  prior(values: BoundValues, nowSeconds: number): PriorRows
  /** As WritePlan.encode, all statements' values in sequence; several mutations may have the same key: the coordinator combines them. */
  encode(values: BoundValues, context: EncodeContext, prior?: PriorRows): number
}

/** A statement with IF, or a batch that has one. */
export interface CasPlan {
  readonly kind: "cas"
  readonly table: TableSchema
  /** Copies the values. Throws InvalidRequestError. */
  bind(values: BoundValues, nowSeconds: number): CasRequest
}

/** One conditional update of one partition. `read`, `applies` and `encode` may be run again and again, in this order. */
export interface CasRequest {
  readonly table: TableSchema
  readonly key: Buffer
  /** What to read for the conditions and for operations that need it. Forgets an earlier read. */
  read(): PriorRead
  /** Whether the conditions hold for what was read. Throws InvalidRequestError. */
  applies(): boolean
  /** Writes at most one mutation, of this partition; returns how many. REQUIRES: the conditions hold. */
  encode(context: EncodeContext): number
  /** `[applied]`, and what was read when it was not. */
  result(applied: boolean): { readonly metadata: ResultMetadata; readonly count: number; readonly rows: Buffer }
}

export interface ReadPlan {
  readonly kind: "read"
  readonly table: TableSchema
  /** The short way, for statements that have one. */
  readonly direct: DirectSelect | null
  /** Throws InvalidRequestError. Keeps no reference to the options or values. */
  bind(options: QueryOptions, nowSeconds: number): Select
}

/** A SELECT that may be answered without a Select: what the store finds goes into the answer row by row. One request at a time. */
export interface DirectSelect extends DirectRead, DirectSink {
  readonly metadata: ResultMetadata
  /** Takes on a request; false: it has to go the long way. Throws InvalidRequestError, ProtocolError. */
  bind(options: QueryOptions, nowSeconds: number): boolean
  /** Rows are appended to `out` from now on. */
  start(out: ByteWriter): void
  /** Rows appended. */
  readonly count: number
  /** Ends the request: where the next page begins; null: no more pages. REQUIRES: the rows are valid still. */
  pagingState(): Buffer | null
}

/**
 * One page of one SELECT. The coordinator calls `next`, runs the command it returns with the Select as the sink (rows
 * arrive merged; the Select drops what is not live or filtered out, projects, aggregates), and again until `next` is
 * null; then `result`.
 */
export interface Select extends RowSink {
  next(): ReadCommand | null
  /** Rows as [bytes] values, valid until the next bind of the same plan. `pagingState` null: no more pages. */
  result(): { readonly metadata: ResultMetadata; readonly count: number; readonly rows: Buffer; readonly pagingState: Buffer | null; readonly warnings: readonly string[] }
}

/** What a schema statement wants to be; `event` null when there is nothing to do (IF NOT EXISTS). */
export interface SchemaOutcome {
  readonly next: SchemaDescriptor
  readonly event: SchemaEvent | null
  readonly warnings: readonly string[]
}

/** What keyspace statements look at in the cluster: nodes that own tokens, and their racks, by data centre. */
export interface ClusterShape {
  readonly dataCenters: ReadonlyMap<string, { readonly nodes: number; readonly racks: number }>
}

export interface SchemaPlan {
  readonly kind: "schema"
  /**
   * Pure: run again against a newer schema when somebody else was faster. `newUuid` gives UUID texts for tables. Throws
   * RequestErrors. Without `cluster` data centres are neither checked nor filled in, and no factor is warned about.
   */
  transform(schema: Schema, descriptor: SchemaDescriptor, nowMicros: number, newUuid: () => string, cluster?: ClusterShape): SchemaOutcome
}

export interface UsePlan {
  readonly kind: "use"
  readonly keyspace: string
}

export interface TruncatePlan {
  readonly kind: "truncate"
  readonly table: TableSchema
}

/** What DESCRIBE needs to know beyond the schema. */
export interface DescribeContext {
  readonly clusterName: string
  readonly partitioner: string
  readonly snitch: string
  /** Keyspace of the session. */
  readonly keyspace: string | null
  /** Token (decimal text) to the addresses of its replicas in the keyspace. */
  rangeOwnership(keyspace: string): ReadonlyMap<string, readonly string[]>
}

export interface DescribePlan {
  readonly kind: "describe"
  /** Rows as [bytes] values; paged by the options. */
  run(schema: Schema, context: DescribeContext, options: QueryOptions): { readonly metadata: ResultMetadata; readonly count: number; readonly rows: Buffer; readonly pagingState: Buffer | null }
}
