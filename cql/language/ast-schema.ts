// Statements that define keyspaces, tables, types, indexes, views, functions and triggers, and DESCRIBE.
import type { Selector, TableName } from "./ast-dml.ts"
import type { Relation } from "./ast-relations.ts"
import type { FunctionName, Term, TypeNode } from "./ast-terms.ts"

/** A property of WITH. The parser refuses a property that is given twice. */
export interface Property {
  readonly name: string
  readonly value: PropertyValue
}
export type PropertyValue =
  /** A constant or an unreserved keyword as text: strings without quotes, everything else as written. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "map"; readonly entries: readonly { readonly key: string; readonly value: string }[] }

export interface CreateKeyspaceStatement {
  readonly kind: "createKeyspace"
  readonly keyspace: string
  readonly ifNotExists: boolean
  readonly properties: readonly Property[]
}
export interface AlterKeyspaceStatement {
  readonly kind: "alterKeyspace"
  readonly keyspace: string
  readonly ifExists: boolean
  readonly properties: readonly Property[]
}
export interface DropKeyspaceStatement {
  readonly kind: "dropKeyspace"
  readonly keyspace: string
  readonly ifExists: boolean
}

/** MASKED WITH; `function` null: DEFAULT. */
export interface ColumnMask {
  readonly function: FunctionName | null
  readonly arguments: readonly Term[]
}
export interface ColumnDefinition {
  readonly name: string
  readonly type: TypeNode
  readonly static: boolean
  /** PRIMARY KEY behind the column. */
  readonly primaryKey: boolean
  readonly mask: ColumnMask | null
}
export interface PrimaryKeyDefinition {
  readonly partitionKey: readonly string[]
  readonly clustering: readonly string[]
}
export interface ClusteringOrder {
  readonly column: string
  readonly descending: boolean
}

export interface CreateTableStatement {
  readonly kind: "createTable"
  readonly table: TableName
  readonly ifNotExists: boolean
  readonly columns: readonly ColumnDefinition[]
  /** Every PRIMARY KEY clause of its own; none when a column carries it. More than one is an error of the statement. */
  readonly primaryKeys: readonly PrimaryKeyDefinition[]
  readonly clusteringOrder: readonly ClusteringOrder[]
  readonly compactStorage: boolean
  readonly properties: readonly Property[]
}

export type TableAlteration =
  | { readonly kind: "add"; readonly ifNotExists: boolean; readonly columns: readonly ColumnDefinition[] }
  /** `usingTimestamp`: decimal text of microseconds, or null. */
  | { readonly kind: "drop"; readonly ifExists: boolean; readonly columns: readonly string[]; readonly usingTimestamp: string | null }
  | { readonly kind: "rename"; readonly ifExists: boolean; readonly columns: readonly { readonly from: string; readonly to: string }[] }
  | { readonly kind: "alterType"; readonly column: string; readonly type: TypeNode }
  /** `mask` null: DROP MASKED. */
  | { readonly kind: "mask"; readonly ifExists: boolean; readonly column: string; readonly mask: ColumnMask | null }
  | { readonly kind: "dropCompactStorage" }
  | { readonly kind: "options"; readonly properties: readonly Property[] }

export interface AlterTableStatement {
  readonly kind: "alterTable"
  readonly table: TableName
  readonly ifExists: boolean
  readonly alteration: TableAlteration
}
export interface DropTableStatement {
  readonly kind: "dropTable"
  readonly table: TableName
  readonly ifExists: boolean
}

export interface CreateViewStatement {
  readonly kind: "createView"
  readonly view: TableName
  readonly ifNotExists: boolean
  /** Null: `*`. */
  readonly selectors: readonly Selector[] | null
  readonly baseTable: TableName
  readonly where: readonly Relation[]
  readonly primaryKey: PrimaryKeyDefinition
  readonly clusteringOrder: readonly ClusteringOrder[]
  readonly compactStorage: boolean
  readonly properties: readonly Property[]
}
export interface AlterViewStatement {
  readonly kind: "alterView"
  readonly view: TableName
  readonly ifExists: boolean
  readonly properties: readonly Property[]
}
export interface DropViewStatement {
  readonly kind: "dropView"
  readonly view: TableName
  readonly ifExists: boolean
}

export interface TypeField {
  readonly name: string
  readonly type: TypeNode
}
export interface CreateTypeStatement {
  readonly kind: "createType"
  readonly type: TableName
  readonly ifNotExists: boolean
  readonly fields: readonly TypeField[]
}
export interface AlterTypeStatement {
  readonly kind: "alterType"
  readonly type: TableName
  readonly ifExists: boolean
  readonly alteration:
    | { readonly kind: "add"; readonly ifNotExists: boolean; readonly field: TypeField }
    | { readonly kind: "alterField"; readonly field: TypeField }
    | { readonly kind: "rename"; readonly ifExists: boolean; readonly fields: readonly { readonly from: string; readonly to: string }[] }
}
export interface DropTypeStatement {
  readonly kind: "dropType"
  readonly type: TableName
  readonly ifExists: boolean
}

export interface IndexTarget {
  /** How the column is indexed: `c` is `simple`; KEYS(c), VALUES(c), ENTRIES(c), FULL(c). */
  readonly kind: "simple" | "keys" | "values" | "entries" | "full"
  readonly column: string
}
export interface CreateIndexStatement {
  readonly kind: "createIndex"
  readonly custom: boolean
  readonly ifNotExists: boolean
  /** Null: a name is made from the table and the column. */
  readonly index: TableName | null
  readonly table: TableName
  readonly targets: readonly IndexTarget[]
  /** USING 'class'. */
  readonly className: string | null
  readonly properties: readonly Property[]
}
export interface DropIndexStatement {
  readonly kind: "dropIndex"
  readonly index: TableName
  readonly ifExists: boolean
}

export interface CreateFunctionStatement {
  readonly kind: "createFunction"
  readonly function: FunctionName
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly arguments: readonly TypeField[]
  readonly calledOnNullInput: boolean
  readonly returnType: TypeNode
  readonly language: string
  readonly body: string
}
export interface DropFunctionStatement {
  readonly kind: "dropFunction"
  readonly function: FunctionName
  readonly ifExists: boolean
  /** Null: no list was given. */
  readonly argumentTypes: readonly TypeNode[] | null
}
export interface CreateAggregateStatement {
  readonly kind: "createAggregate"
  readonly aggregate: FunctionName
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly argumentTypes: readonly TypeNode[]
  readonly stateFunction: string
  readonly stateType: TypeNode
  readonly finalFunction: string | null
  readonly initialCondition: Term | null
}
export interface DropAggregateStatement {
  readonly kind: "dropAggregate"
  readonly aggregate: FunctionName
  readonly ifExists: boolean
  readonly argumentTypes: readonly TypeNode[] | null
}

export interface CreateTriggerStatement {
  readonly kind: "createTrigger"
  readonly trigger: string
  readonly table: TableName
  readonly ifNotExists: boolean
  readonly className: string
}
export interface DropTriggerStatement {
  readonly kind: "dropTrigger"
  readonly trigger: string
  readonly table: TableName
  readonly ifExists: boolean
}

export type DescribeTarget =
  | { readonly kind: "cluster" }
  /** `full`: DESCRIBE FULL SCHEMA, the system keyspaces too. */
  | { readonly kind: "schema"; readonly full: boolean }
  | { readonly kind: "keyspaces" }
  | { readonly kind: "tables" }
  | { readonly kind: "types" }
  | { readonly kind: "functions" }
  | { readonly kind: "aggregates" }
  /** `keyspace` null: the session's; `only`: without what is in it. */
  | { readonly kind: "keyspace"; readonly keyspace: string | null; readonly only: boolean }
  /** `any`: DESCRIBE [ks.]name, whatever has that name. */
  | { readonly kind: "table" | "index" | "view" | "type" | "function" | "aggregate" | "any"; readonly keyspace: string | null; readonly name: string }

export interface DescribeStatement {
  readonly kind: "describe"
  readonly target: DescribeTarget
  readonly withInternals: boolean
}

export type SchemaStatement =
  | CreateKeyspaceStatement
  | AlterKeyspaceStatement
  | DropKeyspaceStatement
  | CreateTableStatement
  | AlterTableStatement
  | DropTableStatement
  | CreateViewStatement
  | AlterViewStatement
  | DropViewStatement
  | CreateTypeStatement
  | AlterTypeStatement
  | DropTypeStatement
  | CreateIndexStatement
  | DropIndexStatement
  | CreateFunctionStatement
  | DropFunctionStatement
  | CreateAggregateStatement
  | DropAggregateStatement
  | CreateTriggerStatement
  | DropTriggerStatement
