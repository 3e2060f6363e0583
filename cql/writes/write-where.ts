// The WHERE clause of UPDATE and DELETE: whole partition keys by = or IN, and a prefix of the clustering columns.
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Relation } from "../language/ast-relations.ts"
import { type Restriction, requiredValue } from "../select/select-restriction.ts"
import { compileWhere } from "../select/select-where.ts"
import type { CompiledTerm, TermContext } from "../statements/term.ts"

/** Which rows a statement writes. */
export interface WriteTarget {
  /** One restriction (= or IN) for each column of the partition key, in key order. */
  readonly keys: readonly Restriction[]
  /** In clustering order; the last may be a slice (DELETE only). */
  readonly clustering: readonly Restriction[]
}

/** The target as an INSERT says it: one value for each column. */
export function equalTo(column: ColumnSchema, term: CompiledTerm): Restriction {
  return { kind: "eq", columns: [column], tuple: (values) => [requiredValue(term, column.name, values)], term }
}

/** How many clustering columns are restricted, by = or IN only? */
export function restrictedColumns(target: WriteTarget): number {
  let count = 0
  for (const restriction of target.clustering) if (restriction.kind !== "slice") count += restriction.columns.length
  return count
}

/** `statement` is UPDATE or DELETE, for messages. Throws InvalidRequestError. */
export function compileWriteWhere(table: TableSchema, relations: readonly Relation[], statement: string, context: TermContext): WriteTarget {
  const contains = relations.find((relation) => relation.kind === "contains")
  if (contains !== undefined) throw new InvalidRequestError(`Cannot use ${statement} with ${contains.key ? "CONTAINS KEY" : "CONTAINS"}`)
  // Filtering is allowed here so that it is told apart below in the words that belong to writes.
  const where = compileWhere(table, relations, { allowFiltering: true, forWrite: true }, context)
  if (where.token !== null) throw new InvalidRequestError(`The token function cannot be used in WHERE clauses for ${statement} statements`)
  if (where.keys === null) refuseKeys(table, where.filters, statement)
  const others = [...where.filters.flatMap(({ columns }) => columns), ...where.conditions.map(({ column }) => column)]
  const nonKey = others.filter(({ kind }) => kind === "regular" || kind === "static")
  if (nonKey.length > 0) throw new InvalidRequestError(`Non PRIMARY KEY columns found in where clause: ${nonKey.map(({ name }) => name).sort().join(", ")} `)
  const gap = others.find(({ kind }) => kind === "clustering")
  if (gap !== undefined) refuseGap(table, gap, where.clustering)
  return { keys: where.keys, clustering: where.clustering }
}

function refuseKeys(table: TableSchema, filters: readonly Restriction[], statement: string): never {
  const missing = table.partitionKey.filter((column) => !filters.some(({ columns }) => columns.includes(column)))
  if (missing.length > 0) throw new InvalidRequestError(`Some partition key parts are missing: ${missing.map(({ name }) => name).join(", ")}`)
  throw new InvalidRequestError(`Only EQ and IN relation are supported on the partition key (unless you use the token() function) for ${statement} statements`)
}

function refuseGap(table: TableSchema, column: ColumnSchema, prefix: readonly Restriction[]): never {
  const last = prefix.at(-1)
  if (last?.kind === "slice") {
    const before = last.columns[0] as ColumnSchema
    throw new InvalidRequestError(`Clustering column "${column.name}" cannot be restricted (preceding column "${before.name}" is restricted by a non-EQ relation)`)
  }
  const restricted = prefix.reduce((count, { columns }) => count + columns.length, 0)
  const expected = table.clustering[restricted] as ColumnSchema
  throw new InvalidRequestError(`PRIMARY KEY column "${column.name}" cannot be restricted as preceding column "${expected.name}" is not restricted`)
}
