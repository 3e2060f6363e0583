// ALTER TABLE and DROP TABLE. Views follow their base: a new regular column is selected by views that select all columns
// and otherwise, where the view has no key column of its own, watched as evidence of life; renamed key columns are renamed.
import type { ColumnDescriptor, DroppedColumn, KeyspaceDescriptor, TableDescriptor, ViewDescriptor } from "../../data/schema.ts"
import { type CqlType, type NativeTypeName, isMultiCell } from "../../data/cql-type.ts"
import { quoteIdentifier, typeName } from "../../data/types/type-name.ts"
import { ConfigurationError, InvalidRequestError } from "../errors.ts"
import type { AlterTableStatement, ColumnDefinition, DropTableStatement, TableAlteration } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { undefinedColumn } from "../statements/find-table.ts"
import { dropCompactStorage } from "./compact.ts"
import { checkColumnName } from "./columns.ts"
import { checkNestedCollections, refuseMasks, refuseStatics, refuseTimeToLive } from "./create-table.ts"
import { changed, checkModifiable, findKeyspace, findTable, keyspaceOf, typeScope, unchanged, viewsOf, withKeyspace, withTables, withoutTable } from "./edit.ts"
import { dependentIndexes } from "./indexes.ts"
import { alteredOptions } from "./options.ts"
import { renameInWhereClause } from "./where-text.ts"
import { expandUserTypes, isCounter, resolveType } from "./types.ts"
import { testType } from "../statements/value-compatibility.ts"
import { virtualName } from "./view-columns.ts"
import { LOW_GC_GRACE } from "./view.ts"

type Transform = SchemaPlan["transform"]
type Alteration<K extends TableAlteration["kind"]> = Extract<TableAlteration, { kind: K }>

/** The table before, and the tables that change: the table itself and possibly its views. */
interface Alteree {
  readonly keyspace: KeyspaceDescriptor
  readonly table: TableDescriptor
  readonly views: readonly TableDescriptor[]
}

export function alterTable(statement: AlterTableStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.table, session)
  const name = statement.table.name
  return (schema, descriptor, nowMicros) => {
    checkModifiable(schema, descriptor, keyspaceName, `ALTER <table ${keyspaceName}.${name}>`)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    const table = findTable(keyspace, name)
    if (keyspace === null || table === null) {
      if (statement.ifExists) return unchanged(descriptor)
      throw new InvalidRequestError(`Table '${keyspaceName}.${name}' doesn't exist`)
    }
    if (table.view !== null) throw new InvalidRequestError("Cannot use ALTER TABLE on a materialized view; use ALTER MATERIALIZED VIEW instead")
    const next = altered(statement.alteration, { keyspace, table, views: viewsOf(keyspace, table) }, nowMicros)
    return changed(withKeyspace(descriptor, withTables(keyspace, ...next)), "UPDATED", "TABLE", keyspaceName, name)
  }
}

function altered(alteration: TableAlteration, alteree: Alteree, nowMicros: number): TableDescriptor[] {
  switch (alteration.kind) {
    case "add":
      return addColumns(alteration, alteree)
    case "drop":
      return [dropColumns(alteration, alteree, nowMicros)]
    case "rename":
      return renameColumns(alteration, alteree)
    case "options":
      return [changeOptions(alteration, alteree)]
    case "alterType":
      throw new InvalidRequestError("Altering column types is no longer supported")
    case "mask":
      return [alterMask(alteration, alteree)]
    case "dropCompactStorage":
      return [dropCompactStorage(alteree.table)]
  }
}

/** No column has a mask: there is nothing to drop. */
function alterMask({ mask, column, ifExists }: Alteration<"mask">, { table }: Alteree): TableDescriptor {
  if (mask !== null) refuseMasks()
  if (visible(table, column) === undefined && !ifExists) throw new InvalidRequestError(`Column with name '${column}' doesn't exist on table '${table.name}'`)
  return table
}

function addColumns(alteration: Alteration<"add">, { keyspace, table, views }: Alteree): TableDescriptor[] {
  if (table.compact === true) throw new InvalidRequestError("Cannot add new column to a COMPACT STORAGE table")
  let next = table
  let nextViews = views
  for (const definition of alteration.columns) {
    if (visible(next, definition.name) !== undefined) {
      if (alteration.ifNotExists) continue
      throw new InvalidRequestError(`Column with name '${definition.name}' already exists`)
    }
    const column = newColumn(definition, next, keyspace)
    next = { ...next, columns: [...next.columns, column], nextColumnId: next.nextColumnId + 1 }
    if (column.kind === "regular") nextViews = nextViews.map((view) => viewWithColumn(view, column))
  }
  return [next, ...nextViews]
}

function newColumn(definition: ColumnDefinition, table: TableDescriptor, keyspace: KeyspaceDescriptor): ColumnDescriptor {
  const { name } = definition
  checkColumnName(name)
  if (definition.mask !== null) refuseMasks()
  const type = resolveType(definition.type, typeScope(keyspace))
  if (definition.static && !table.columns.some((column) => column.kind === "clustering")) refuseStatics()
  checkNestedCollections(type, ` for column ${name}`)
  const kind = definition.static ? "static" : "regular"
  const dropped = table.droppedColumns.findLast((column) => column.name === name)
  if (dropped !== undefined && isCounter(dropped.type)) throw new InvalidRequestError(`Cannot re-add previously dropped counter column ${name}`)
  if (dropped !== undefined) checkReadded(dropped, { name, type, kind })
  checkCounters(table, name, type)
  return { id: table.nextColumnId, name, type, kind, position: -1, reversed: false, hidden: null }
}

/** A table has counters only, or none, outside its key. */
function checkCounters(table: TableDescriptor, name: string, type: CqlType): void {
  const others = table.columns.filter((column) => column.kind === "regular" || column.kind === "static")
  const hasCounters = others.some((column) => isCounter(column.type))
  const where = `${table.keyspace}.${table.name}`
  if (isCounter(type) && !hasCounters) throw new ConfigurationError(`${where}: Cannot have a counter column ("${name}") in a non counter table`)
  if (!isCounter(type) && hasCounters) throw new ConfigurationError(`${where}: Cannot have a non counter column ("${name}") in a counter table`)
}

function checkReadded(dropped: DroppedColumn, added: Pick<ColumnDescriptor, "name" | "type" | "kind">): void {
  if (!isReadableAs(dropped.type, expandUserTypes(added.type))) {
    throw new InvalidRequestError(
      `Cannot re-add previously dropped column '${added.name}' of type ${typeName(added.type)}, incompatible with previous type ${typeName(dropped.type)}`,
    )
  }
  if (dropped.kind !== added.kind) {
    throw new InvalidRequestError(
      `Cannot re-add previously dropped column '${added.name}' of kind ${added.kind.toUpperCase()}, incompatible with previous kind ${dropped.kind.toUpperCase()}`,
    )
  }
}

/** Could values of the old type that are still stored be read as values of the new one? */
function isReadableAs(old: CqlType, added: CqlType): boolean {
  if (typeName(old) === typeName(added)) return true
  return isMultiCell(old) === isMultiCell(added) && fixedSize(old) === fixedSize(added) && testType(old, added) !== "none"
}

/** Bytes of every value, where Cassandra relies on it; 0: they differ, or might. */
function fixedSize(type: CqlType): number {
  if (type.kind === "vector") return type.dimension * fixedSize(type.element)
  return type.kind === "native" ? (FIXED_SIZES[type.name] ?? 0) : 0
}

const FIXED_SIZES: Readonly<Partial<Record<NativeTypeName, number>>> = { boolean: 1, int: 4, float: 4, bigint: 8, counter: 8, double: 8, timestamp: 8, uuid: 16, timeuuid: 16 }

/** The view once its base has the regular column `added`. */
function viewWithColumn(table: TableDescriptor, added: ColumnDescriptor): TableDescriptor {
  const view = table.view as ViewDescriptor
  const pair = { base: added.id, view: table.nextColumnId }
  if (view.includeAllColumns) {
    return withViewColumn(table, { ...added, id: pair.view }, { ...view, selected: [...view.selected, pair] })
  }
  if (view.newKeyColumns.length > 0) return table
  const column: ColumnDescriptor = { ...added, id: pair.view, name: virtualName(added.name), hidden: "virtual" }
  return withViewColumn(table, column, { ...view, virtual: [...view.virtual, pair] })
}

function withViewColumn(table: TableDescriptor, column: ColumnDescriptor, view: ViewDescriptor): TableDescriptor {
  return { ...table, columns: [...table.columns, column], nextColumnId: table.nextColumnId + 1, view }
}

function dropColumns(alteration: Alteration<"drop">, { table, views }: Alteree, nowMicros: number): TableDescriptor {
  const droppedAtMicros = alteration.usingTimestamp === null ? nowMicros : Number(alteration.usingTimestamp)
  if (!Number.isSafeInteger(droppedAtMicros)) throw new InvalidRequestError(`Invalid timestamp ${alteration.usingTimestamp ?? ""}`)
  let next = table
  for (const name of new Set(alteration.columns)) {
    const column = visible(next, name)
    if (column === undefined) {
      if (alteration.ifExists) continue
      throw new InvalidRequestError(`Column ${quoteIdentifier(name)} was not found in table '${table.keyspace}.${table.name}'`)
    }
    checkDroppable(column, table, views)
    const dropped: DroppedColumn = { id: column.id, name, type: expandUserTypes(column.type), kind: column.kind, droppedAtMicros }
    next = { ...next, columns: next.columns.filter(({ id }) => id !== column.id), droppedColumns: [...next.droppedColumns, dropped] }
  }
  return next
}

function checkDroppable(column: ColumnDescriptor, table: TableDescriptor, views: readonly TableDescriptor[]): void {
  const name = quoteIdentifier(column.name)
  if (table.compact === true && column.kind === "regular") throw new InvalidRequestError("Cannot drop columns from a COMPACT STORAGE table with clustering columns")
  if (isKey(column)) throw new InvalidRequestError(`Cannot drop PRIMARY KEY column ${name}`)
  if (column.type.kind === "udt" && isMultiCell(column.type)) {
    throw new InvalidRequestError(`Cannot drop non-frozen column ${name} of user type ${typeName(column.type)}`)
  }
  const indexes = dependentIndexes(table, column)
  if (indexes !== null) throw new InvalidRequestError(`Cannot drop column ${name} because it has dependent secondary indexes (${indexes})`)
  if (views.length > 0) throw new InvalidRequestError(`Cannot drop column ${name} on base table ${table.name} with materialized views`)
}

function renameColumns(alteration: Alteration<"rename">, { table, views }: Alteree): TableDescriptor[] {
  let tables: readonly TableDescriptor[] = [table, ...views]
  for (const { from, to } of alteration.columns) {
    const current = tables[0] as TableDescriptor
    const column = visible(current, from)
    // Also with IF EXISTS.
    if (column === undefined) throw undefinedColumn(from, table)
    if (!isKey(column)) throw new InvalidRequestError(`Cannot rename non PRIMARY KEY column ${quoteIdentifier(from)}`)
    const indexes = dependentIndexes(table, column)
    if (indexes !== null) throw new InvalidRequestError(`Can't rename column ${quoteIdentifier(from)} because it has dependent secondary indexes (${indexes})`)
    if (visible(current, to) !== undefined) {
      throw new InvalidRequestError(
        `Cannot rename column ${quoteIdentifier(from)} to ${quoteIdentifier(to)} in table '${table.keyspace}.${table.name}'; another column with that name already exists`,
      )
    }
    checkColumnName(to)
    tables = tables.map((each) => renamed(each, from, to))
  }
  return [...tables]
}

function renamed(table: TableDescriptor, from: string, to: string): TableDescriptor {
  const columns = table.columns.map((column) => (column.name === from && column.hidden === null ? { ...column, name: to } : column))
  const view = table.view === null ? null : { ...table.view, whereClause: renameInWhereClause(table.view.whereClause, from, to) }
  return { ...table, columns, view }
}

function changeOptions(alteration: Alteration<"options">, { table, views }: Alteree): TableDescriptor {
  const options = alteredOptions(table.options, alteration.properties)
  if (table.columns.some(({ type }) => isCounter(type))) refuseTimeToLive(options)
  if (views.length > 0 && options.gcGraceSeconds === 0) {
    throw new InvalidRequestError(`Cannot alter gc_grace_seconds of the base table of a materialized view to 0, ${LOW_GC_GRACE}`)
  }
  return { ...table, options }
}

function visible(table: TableDescriptor, name: string): ColumnDescriptor | undefined {
  return table.columns.find((column) => column.name === name && column.hidden === null)
}

function isKey(column: ColumnDescriptor): boolean {
  return column.kind === "partition_key" || column.kind === "clustering"
}

export function dropTable(statement: DropTableStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.table, session)
  const name = statement.table.name
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `DROP <table ${keyspaceName}.${name}>`)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    const table = findTable(keyspace, name)
    if (keyspace === null || table === null) {
      if (statement.ifExists) return unchanged(descriptor)
      throw new InvalidRequestError(`Table '${keyspaceName}.${name}' doesn't exist`)
    }
    if (table.view !== null) throw new InvalidRequestError("Cannot use DROP TABLE on a materialized view. Please use DROP MATERIALIZED VIEW instead.")
    const views = viewsOf(keyspace, table)
    if (views.length > 0) {
      throw new InvalidRequestError(`Cannot drop a table when materialized views still depend on it (${views.map((view) => view.name).join(", ")})`)
    }
    return changed(withKeyspace(descriptor, withoutTable(keyspace, name)), "DROPPED", "TABLE", keyspaceName, name)
  }
}
