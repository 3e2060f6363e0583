// Statements that read and write data.
import type { Condition, Relation } from "./ast-relations.ts"
import type { Selectable, Term } from "./ast-terms.ts"

/** Names are already folded to lower case unless they were quoted. */
export interface TableName {
  /** Null: the session's keyspace. */
  readonly keyspace: string | null
  readonly name: string
}

export interface Selector {
  readonly selectable: Selectable
  readonly alias: string | null
  /** The selector's text as written, without the alias. */
  readonly text: string
}

export interface SelectStatement {
  readonly kind: "select"
  readonly json: boolean
  readonly distinct: boolean
  /** Null: `*`. */
  readonly selectors: readonly Selector[] | null
  readonly table: TableName
  readonly where: readonly Relation[]
  /** Columns, or functions of columns. */
  readonly groupBy: readonly Selectable[]
  readonly orderBy: readonly Ordering[]
  readonly perPartitionLimit: Term | null
  readonly limit: Term | null
  readonly allowFiltering: boolean
}

export interface Ordering {
  readonly column: string
  readonly descending: boolean
  /** Non-null: `ORDER BY column ANN OF vector`. */
  readonly ann: Term | null
}

/** USING; null what is not given. */
export interface UsingClause {
  readonly timestamp: Term | null
  readonly timeToLive: Term | null
}

export interface InsertStatement {
  readonly kind: "insert"
  readonly table: TableName
  readonly columns: readonly string[]
  readonly values: readonly Term[]
  readonly ifNotExists: boolean
  readonly using: UsingClause
}

export interface InsertJsonStatement {
  readonly kind: "insertJson"
  readonly table: TableName
  /** A string constant or a marker. */
  readonly json: Term
  /** DEFAULT UNSET: columns that are not named keep their values. */
  readonly defaultUnset: boolean
  readonly ifNotExists: boolean
  readonly using: UsingClause
}

export type Assignment =
  /** `c = t`. */
  | { readonly kind: "set"; readonly column: string; readonly value: Term }
  /** `c = c + t`, `c += t`, `c = c - t`, `c -= t`. */
  | { readonly kind: "add"; readonly column: string; readonly value: Term }
  | { readonly kind: "subtract"; readonly column: string; readonly value: Term }
  /** `c = t + c`. */
  | { readonly kind: "prepend"; readonly column: string; readonly value: Term }
  /** `c[k] = t`. */
  | { readonly kind: "setElement"; readonly column: string; readonly key: Term; readonly value: Term }
  /** `c.field = t`. */
  | { readonly kind: "setField"; readonly column: string; readonly field: string; readonly value: Term }

export interface UpdateStatement {
  readonly kind: "update"
  readonly table: TableName
  readonly using: UsingClause
  readonly assignments: readonly Assignment[]
  readonly where: readonly Relation[]
  readonly ifExists: boolean
  readonly conditions: readonly Condition[]
}

export type DeleteTarget =
  | { readonly kind: "column"; readonly column: string }
  | { readonly kind: "element"; readonly column: string; readonly key: Term }
  | { readonly kind: "field"; readonly column: string; readonly field: string }

export interface DeleteStatement {
  readonly kind: "delete"
  readonly table: TableName
  /** Empty: whole rows. */
  readonly targets: readonly DeleteTarget[]
  /** Only a timestamp. */
  readonly using: UsingClause
  readonly where: readonly Relation[]
  readonly ifExists: boolean
  readonly conditions: readonly Condition[]
}

export type ModificationStatement = InsertStatement | InsertJsonStatement | UpdateStatement | DeleteStatement

export interface BatchStatement {
  readonly kind: "batch"
  readonly type: "LOGGED" | "UNLOGGED" | "COUNTER"
  readonly using: UsingClause
  readonly statements: readonly ModificationStatement[]
}

export interface TruncateStatement {
  readonly kind: "truncate"
  readonly table: TableName
}

export interface UseStatement {
  readonly kind: "use"
  readonly keyspace: string
}
