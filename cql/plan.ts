// A statement compiled against one schema: what the coordinator runs. Compiling is cold, binding is hot.
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

export type Plan = ReadPlan | WritePlan | BatchPlan | SchemaPlan | UsePlan | TruncatePlan | DescribePlan

export interface EncodeContext {
  /** Where mutations are written, one behind the other; not reset by the plan. */
  readonly writer: MutationWriter
  /** The request's timestamp unless the statement says USING TIMESTAMP. */
  readonly timestampHigh: number
  readonly timestampLow: number
  readonly nowSeconds: number
}

export interface WritePlan {
  readonly kind: "write"
  readonly table: TableSchema
  /** Writes the statement's mutations (one per partition key) and returns how many. Throws InvalidRequestError before anything is written. */
  encode(values: BoundValues, context: EncodeContext): number
}

export interface BatchPlan {
  readonly kind: "batch"
  readonly type: BatchType
  readonly statements: readonly WritePlan[]
  /** As WritePlan.encode, all statements' values in sequence; several mutations may have the same key: the coordinator combines them. */
  encode(values: BoundValues, context: EncodeContext): number
}

export interface ReadPlan {
  readonly kind: "read"
  readonly table: TableSchema
  /** Throws InvalidRequestError. Keeps no reference to the options or values. */
  bind(options: QueryOptions, nowSeconds: number): Select
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
