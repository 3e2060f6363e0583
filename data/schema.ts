// The schema as plain data. Descriptors are what the cluster metadata log carries and what is written to disk: JSON,
// no maps, no cycles. `TableSchema` and `Schema` are the resolved forms that code works with, built from descriptors by
// `resolveSchema`; they are immutable, and a change makes a new one.
import type { CqlType } from "./cql-type.ts"

/** Names a table in every byte format: given by the cluster metadata, unsigned 32 bits, never reused. 1-999 are the system's. */
export type TableId = number
/** The position of a change in the cluster metadata log, from 1. */
export type Epoch = number
/** A column's number within its table: unsigned 16 bits, never reused, also not by a column of the same name added again. */
export type ColumnId = number

export type ColumnKind = "partition_key" | "clustering" | "static" | "regular"
/** What a hidden column is for: in a view what views.md says (3.1 and 3.2); in a compact table what the form asks for. No statement names them. */
export type HiddenRole = "context" | "witness" | "virtual" | "compact"

export interface ColumnDescriptor {
  readonly id: ColumnId
  readonly name: string
  readonly type: CqlType
  readonly kind: ColumnKind
  /** Index within the partition key or the clustering; -1 for others. */
  readonly position: number
  /** Clustering column in descending order. */
  readonly reversed: boolean
  /** Set on hidden columns. */
  readonly hidden: HiddenRole | null
}

export interface TableOptions {
  readonly comment: string
  readonly gcGraceSeconds: number
  readonly defaultTimeToLive: number
  readonly bloomFilterFpChance: number
  readonly caching: Readonly<Record<string, string>>
  readonly compaction: Readonly<Record<string, string>>
  readonly compression: Readonly<Record<string, string>>
  readonly memtable: string
  readonly crcCheckChance: number
  readonly minIndexInterval: number
  readonly maxIndexInterval: number
  readonly memtableFlushPeriodInMs: number
  readonly speculativeRetry: string
  readonly additionalWritePolicy: string
  readonly readRepair: string
  readonly cdc: boolean
  readonly allowAutoSnapshot: boolean
  readonly incrementalBackups: boolean
  readonly extensions: Readonly<Record<string, string>>
}

/** How a view re-keys its base table. Columns of the base are named by their ids there. */
export interface ViewDescriptor {
  readonly baseTable: TableId
  readonly includeAllColumns: boolean
  /** The WHERE clause as CQL text, normalised. */
  readonly whereClause: string
  /** Every primary key column of the view in key order (partition key, then clustering): the base column it holds. */
  readonly keyColumns: readonly ColumnId[]
  /** K+ of views.md: the base's regular columns among `keyColumns`, in that order. */
  readonly newKeyColumns: readonly ColumnId[]
  /** Base column to view column, for every selected regular column (key columns are not among them). */
  readonly selected: readonly { readonly base: ColumnId; readonly view: ColumnId }[]
  /** Context (K+, then the filter columns): base column to the hidden view column that holds its cell. */
  readonly context: readonly { readonly base: ColumnId; readonly view: ColumnId }[]
  /** When K+ is empty: the base's unselected regular columns, shipped without value as evidence of life. */
  readonly virtual: readonly { readonly base: ColumnId; readonly view: ColumnId }[]
  /** The hidden column of the witness bit W. */
  readonly witness: ColumnId
  /** Conditions on base columns beyond IS NOT NULL; all must hold. `value` is the operand's serialised bytes in base64. */
  readonly filters: readonly ViewFilter[]
}

export interface ViewFilter {
  readonly column: ColumnId
  readonly operator: "=" | "<" | "<=" | ">" | ">=" | "IN"
  /** For IN the values as those of a list. */
  readonly value: string
}

/** What of a column an index holds: its value, or parts of a collection. */
export type IndexPart = "simple" | "keys" | "values" | "entries" | "full"

export interface IndexDescriptor {
  /** Of the hidden table that holds its entries (index-table.ts); from the same numbers as tables. */
  readonly id: TableId
  readonly name: string
  readonly kind: "COMPOSITES" | "CUSTOM"
  readonly column: ColumnId
  readonly part: IndexPart
  /** As given to CREATE INDEX, and `class_name` of CUSTOM ones. */
  readonly options: Readonly<Record<string, string>>
}

export interface TableDescriptor {
  readonly id: TableId
  /** The id drivers see in system_schema.tables. */
  readonly uuid: string
  readonly keyspace: string
  readonly name: string
  readonly columns: readonly ColumnDescriptor[]
  readonly nextColumnId: ColumnId
  readonly droppedColumns: readonly DroppedColumn[]
  readonly options: TableOptions
  /** Non-null: this table is a materialized view. */
  readonly view: ViewDescriptor | null
  /** WITH COMPACT STORAGE. Absent: without. */
  readonly compact?: true
  /** Its secondary indexes, by name; none when missing. */
  readonly indexes?: readonly IndexDescriptor[]
  /** Set on the hidden table of an index: the table that is indexed. */
  readonly indexOf?: TableId
  /** Epoch of the last change of this table. */
  readonly epoch: Epoch
  /** Rises with every TRUNCATE (of the base, for a view). */
  readonly truncationEpoch: Epoch
}

export interface DroppedColumn {
  readonly id: ColumnId
  readonly name: string
  readonly type: CqlType
  readonly kind: ColumnKind
  readonly droppedAtMicros: number
}

export interface TypeDescriptor {
  readonly name: string
  readonly fields: readonly { readonly name: string; readonly type: CqlType }[]
}

/** A user-defined function. Several may have one name; the types of the arguments tell them apart. */
export interface FunctionDescriptor {
  readonly name: string
  readonly argumentNames: readonly string[]
  readonly argumentTypes: readonly CqlType[]
  readonly returnType: CqlType
  /** False: the function is null as soon as one argument is. */
  readonly calledOnNullInput: boolean
  readonly language: string
  readonly body: string
}

/** A user-defined aggregate. Its functions are of the same keyspace. */
export interface AggregateDescriptor {
  readonly name: string
  readonly argumentTypes: readonly CqlType[]
  readonly returnType: CqlType
  /** Called with the state and the arguments; gives the next state. */
  readonly stateFunction: string
  readonly stateType: CqlType
  readonly finalFunction: string | null
  /** The first state: serialised bytes in base64; null: null. */
  readonly initialCondition: string | null
}

export interface KeyspaceDescriptor {
  readonly name: string
  readonly durableWrites: boolean
  /** As in system_schema.keyspaces: `class` is the full class name, the factors are decimal text. */
  readonly replication: Readonly<Record<string, string>>
  readonly tables: readonly TableDescriptor[]
  readonly types: readonly TypeDescriptor[]
  /** Absent: none, which keeps the digest of schemas that never had any. Sorted by name, then by the types of the arguments. */
  readonly functions?: readonly FunctionDescriptor[]
  readonly aggregates?: readonly AggregateDescriptor[]
}

/** The whole user schema as the metadata log keeps it. System keyspaces are not in it: every release knows its own. */
export interface SchemaDescriptor {
  readonly keyspaces: readonly KeyspaceDescriptor[]
  /** The id the next table will get, from 1000. */
  readonly nextTableId: TableId
}

/** A resolved column. */
export type ColumnSchema = ColumnDescriptor

/** A resolved index. */
export interface IndexSchema {
  readonly descriptor: IndexDescriptor
  readonly name: string
  /** Of the table that is indexed. */
  readonly column: ColumnSchema
  /** Of what is looked for: the column's type, or that of elements, keys or (key, value) pairs. */
  readonly termType: CqlType
  /** The hidden table of its entries. */
  readonly table: TableSchema
  /** Of class StorageAttachedIndex: allows more queries than the others. */
  readonly isStorageAttached: boolean
  /** What is done to a text before it is compared; null: nothing. */
  readonly analyzer: { readonly caseSensitive: boolean; readonly normalize: boolean; readonly ascii: boolean } | null
}

/** A resolved table or view. */
export interface TableSchema {
  readonly descriptor: TableDescriptor
  readonly id: TableId
  readonly keyspace: string
  readonly name: string
  readonly kind: "table" | "view" | "virtual" | "index"
  readonly partitionKey: readonly ColumnSchema[]
  readonly clustering: readonly ColumnSchema[]
  /** By name. */
  readonly statics: readonly ColumnSchema[]
  /** By name; without hidden columns. This is also the order of the ids at CREATE TABLE. */
  readonly regulars: readonly ColumnSchema[]
  readonly hidden: readonly ColumnSchema[]
  /** Order of `SELECT *`: partition key, clustering, statics, regulars. */
  readonly columns: readonly ColumnSchema[]
  readonly columnByName: ReadonlyMap<string, ColumnSchema>
  /** Indexed by column id; null for ids that are dropped or not used. Hidden columns are in it. */
  readonly columnById: readonly (ColumnSchema | null)[]
  readonly view: ViewDescriptor | null
  /** The views of this table, by name. */
  readonly views: readonly TableSchema[]
  /** By name. */
  readonly indexes: readonly IndexSchema[]
  readonly options: TableOptions
  /** Orders two encoded clusterings of this table (see row-format.ts). Compares the components both have; a shorter prefix equals. */
  compareClustering(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number
}

export interface KeyspaceSchema {
  readonly name: string
  readonly durableWrites: boolean
  readonly replication: Readonly<Record<string, string>>
  /** Tables and views by name. */
  readonly tables: ReadonlyMap<string, TableSchema>
  readonly types: ReadonlyMap<string, TypeDescriptor>
  readonly functions: readonly FunctionDescriptor[]
  readonly aggregates: readonly AggregateDescriptor[]
  /** Virtual keyspaces hold no data: system_views, system_virtual_schema. */
  readonly virtual: boolean
}

export interface Schema {
  readonly keyspaces: ReadonlyMap<string, KeyspaceSchema>
  /** UUID text: a digest of the descriptors, the same on every node that has the same schema. */
  readonly version: string
  tableById(id: TableId): TableSchema | null
  table(keyspace: string, name: string): TableSchema | null
}
