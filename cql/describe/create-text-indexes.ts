// CREATE statements of indexes, formatted as DESCRIBE prints them.
import type { IndexPart, IndexSchema, TableSchema } from "../../data/schema.ts"
import { quoteIdentifier } from "../../data/types/type-name.ts"
import { quoteString } from "../statements/term-text.ts"

/** What an index is on, as system_schema.indexes and statements say it. */
export function indexTargetText(column: string, part: IndexPart): string {
  const name = quoteIdentifier(column)
  return part === "simple" ? name : `${part}(${name})`
}

export function createIndexText(table: TableSchema, { name, column, descriptor }: IndexSchema): string {
  const { class_name: className, ...options } = descriptor.options
  const on = `INDEX ${quoteIdentifier(name)} ON ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)} (${indexTargetText(column.name, descriptor.part)})`
  if (className === undefined) return `CREATE ${on};`
  const entries = Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${quoteString(key)}: ${quoteString(value)}`)
  return `CREATE CUSTOM ${on} USING ${quoteString(className)}${entries.length === 0 ? "" : ` WITH OPTIONS = {${entries.join(", ")}}`};`
}
