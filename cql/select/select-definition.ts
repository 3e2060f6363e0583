// What a SELECT is once it is compiled: plain data that its runs share.
import type { Buffer } from "../../runtime/pure.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import type { ResultMetadata } from "../metadata.ts"
import type { EqualValues } from "../statements/equal-values.ts"
import type { FilterSource } from "./row-filter.ts"
import type { WhereClause } from "./select-where.ts"
import type { AnnOrder } from "./select-ann.ts"
import type { Selection } from "./selection.ts"
import type { CompiledTerm } from "../statements/term.ts"

/** What GROUP BY groups by: the partition key and this many clustering columns, the last perhaps by what a function makes of it. */
export interface Grouping {
  readonly clusteringColumns: number
  readonly last: ((value: Buffer) => Uint8Array | null) | null
}

export interface SelectDefinition {
  readonly table: TableSchema
  readonly where: WhereClause
  /** Set when the partition key is restricted by = alone: one partition. */
  readonly equalKey: EqualValues | null
  /** Set when clustering columns are restricted by = alone: one slice. */
  readonly equalClustering: EqualValues | null
  readonly selection: Selection
  readonly metadata: ResultMetadata
  readonly distinct: boolean
  readonly reversed: boolean
  /** ORDER BY with IN on the partition key: after all partitions are read, rows are sorted by so many clustering columns. 0: not. */
  readonly sortColumns: number
  /** ORDER BY ... ANN OF: rows with the nearest vectors come first; null: not asked for. */
  readonly ann: AnnOrder | null
  readonly grouping: Grouping | null
  readonly limit: CompiledTerm | null
  readonly perPartitionLimit: CompiledTerm | null
  /** Filters, and the columns that they need. */
  readonly filters: readonly FilterSource[]
  readonly filterColumns: readonly ColumnSchema[]
  /** A partition with only a static row gives a result row. */
  readonly showsStaticOnly: boolean
  readonly warnings: readonly string[]
}
