// COMPACT STORAGE: tables as Cassandra had them before CQL. Rows have no marker: a row is there while a column of it has a
// value. There are three forms.
//
// - without clustering columns: the columns are kept as static ones, beside a hidden clustering column and a hidden
//   regular one that hold nothing, as Cassandra keeps them; DROP COMPACT STORAGE shows these two;
// - with clustering columns and one more: that column must be in every INSERT;
// - with clustering columns only: an ordinary table, as rows go.
import { isMultiCell } from "../../data/cql-type.ts"
import type { ColumnDescriptor, ColumnSchema, TableDescriptor, TableSchema } from "../../data/schema.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"

/** The columns of a compact table, given those that were declared. Throws InvalidRequestError. */
export function compactColumns(columns: readonly ColumnDescriptor[]): ColumnDescriptor[] {
  const others = columns.filter(({ position }) => position < 0)
  if (others.some(({ type }) => isMultiCell(type))) throw new InvalidRequestError("Non-frozen collections and UDTs are not supported with COMPACT STORAGE")
  if (others.some(({ kind }) => kind === "static")) throw new InvalidRequestError("Static columns are not supported in COMPACT STORAGE tables")
  if (columns.some(({ kind }) => kind === "clustering")) {
    if (others.length > 1) {
      throw new InvalidRequestError(
        `COMPACT STORAGE with composite PRIMARY KEY allows no more than one column not part of the PRIMARY KEY (got: ${others.map(({ name }) => name).join(", ")})`,
      )
    }
    return [...columns]
  }
  if (others.length === 0) throw new InvalidRequestError("No definition found that is not part of the PRIMARY KEY")
  const names = new Set(columns.map(({ name }) => name))
  const shared = { reversed: false, hidden: "compact" } as const
  const keys = columns.filter(({ position }) => position >= 0)
  const all: Omit<ColumnDescriptor, "id">[] = [
    ...keys,
    { ...shared, name: freeName(names, "column", 1), type: nativeType("text"), kind: "clustering", position: 0 },
    ...others.map((column) => ({ ...column, kind: "static" as const })),
    { ...shared, name: freeName(names, "value", 0), type: nativeType("blob"), kind: "regular", position: -1 },
  ]
  return all.map((column, id) => ({ ...column, id }))
}

function freeName(taken: ReadonlySet<string>, base: string, from: number): string {
  for (let number = from; ; number++) {
    const name = number === 0 ? base : `${base}${number}`
    if (!taken.has(name)) return name
  }
}

/** DROP COMPACT STORAGE. */
export function dropCompactStorage(table: TableDescriptor): TableDescriptor {
  const { compact, ...rest } = table
  if (compact !== true) throw new InvalidRequestError("Cannot DROP COMPACT STORAGE on table without COMPACT STORAGE")
  return { ...rest, columns: table.columns.map((column) => (column.hidden === "compact" ? { ...column, hidden: null } : column)) }
}

/** What system_schema.tables says of the form. */
export function storageFlags(table: TableSchema): string[] {
  if (table.descriptor.compact !== true) return ["compound"]
  if (isStaticCompact(table)) return []
  return table.clustering.length > 1 ? ["compound", "dense"] : ["dense"]
}

export function isStaticCompact(table: TableSchema): boolean {
  return table.descriptor.compact === true && table.clustering.some(({ hidden }) => hidden !== null)
}

/** Does an INSERT leave a marker, so that its row is there without any value? */
export function insertMarksRows(table: TableSchema): boolean {
  return table.descriptor.compact !== true || table.regulars.length === 0
}

/** Of an INSERT; `isGiven`: whether it has the column. */
export function checkCompactInsert(table: TableSchema, isGiven: (column: ColumnSchema) => boolean): void {
  const missing = table.descriptor.compact === true ? table.regulars.find((column) => !isGiven(column)) : undefined
  if (missing !== undefined) throw new InvalidRequestError(`Column ${missing.name} is mandatory for this COMPACT STORAGE table`)
}
