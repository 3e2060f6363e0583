// Descriptions of results and of bind variables, as the native protocol carries them.
import type { CqlType } from "../data/cql-type.ts"

export interface ColumnSpecification {
  readonly keyspace: string
  readonly table: string
  readonly name: string
  readonly type: CqlType
}

export interface ResultMetadata {
  readonly columns: readonly ColumnSpecification[]
  /** 16 bytes, a digest of the columns (v5 result metadata id). */
  readonly id: Buffer
}

/** What a PREPARE is answered with. */
export interface PreparedDescription {
  /** md5 of keyspace and text: the same on every node and after every restart. */
  readonly id: Buffer
  readonly bindVariables: readonly ColumnSpecification[]
  /** For each component of the partition key the index of its bind variable; empty when not all are bound. */
  readonly partitionKeyIndexes: readonly number[]
  /** Null for statements that return no rows. */
  readonly resultMetadata: ResultMetadata | null
}
