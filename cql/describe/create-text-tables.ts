// CREATE statements of tables and views, formatted as DESCRIBE prints them. Run again they make the same schema.
import { isMultiCell } from "../../data/cql-type.ts"
import type { ColumnSchema, DroppedColumn, KeyspaceSchema, TableSchema } from "../../data/schema.ts"
import { quoteIdentifier, typeName } from "../../data/types/type-name.ts"
import { isStaticCompact } from "../schema/compact.ts"
import { optionsText } from "./create-text-options.ts"

const INDENT = "    "
/** Cassandra's words about compact tables, though CREATE TABLE takes them. */
const OMITTED =
  "omitted because it has constructs not compatible with CQL (was created via legacy API).\nApproximate structure, for reference:\n(this should not be used to reproduce this schema)"

function tableName(table: TableSchema): string {
  return `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`
}

/** `withInternals` adds the id, and the dropped columns with what happened to them. */
export function createTableText(keyspace: KeyspaceSchema, table: TableSchema, withInternals: boolean): string {
  const dropped = withInternals ? lastDrops(table) : new Map<string, DroppedColumn>()
  const singleKey = table.partitionKey.length === 1 && table.clustering.length === 0
  const definitions: string[] = []
  for (const listed of inTextOrder(table)) {
    const column = isStaticCompact(table) && listed.kind === "static" ? { ...listed, kind: "regular" as const } : listed
    // A column that was dropped and added again is added again below.
    if (!dropped.has(column.name)) definitions.push(columnText(column) + (singleKey && column.kind === "partition_key" ? " PRIMARY KEY" : ""))
  }
  for (const column of dropped.values()) definitions.push(columnText(column))
  if (!singleKey) definitions.push(primaryKeyText(table))
  const create = `${keyspace.virtual ? "VIRTUAL" : "CREATE"} TABLE ${tableName(table)} (\n${INDENT}${definitions.join(`,\n${INDENT}`)}\n)`
  const text = create + optionsText(table, keyspace.virtual, withInternals)
  if (table.descriptor.compact === true) return `/*\nWarning: Table ${tableName(table)} ${OMITTED}\n\n${text}\n*/`
  if (!keyspace.virtual) return text + [...dropped.values()].map((column) => dropText(table, column)).join("")
  return `/*\nWarning: Table ${tableName(table)} is a virtual table and cannot be recreated with CQL.\nStructure, for reference:\n${text}\n*/`
}

/** Of one kind, columns of several cells come last. */
function inTextOrder(table: TableSchema): ColumnSchema[] {
  const [statics, regulars] = [table.statics, table.regulars].map((columns) => {
    return [...columns.filter((column) => !isMultiCell(column.type)), ...columns.filter((column) => isMultiCell(column.type))]
  }) as [ColumnSchema[], ColumnSchema[]]
  return [...table.partitionKey, ...shown(table.clustering), ...statics, ...regulars]
}

function shown(columns: readonly ColumnSchema[]): ColumnSchema[] {
  return columns.filter(({ hidden }) => hidden === null)
}

/** By name; of a name that was dropped several times the last. */
function lastDrops(table: TableSchema): Map<string, DroppedColumn> {
  return new Map(table.descriptor.droppedColumns.map((column) => [column.name, column]))
}

function columnText(column: Pick<ColumnSchema, "name" | "type" | "kind">): string {
  return `${quoteIdentifier(column.name)} ${typeName(column.type)}${column.kind === "static" ? " static" : ""}`
}

function primaryKeyText(table: TableSchema): string {
  const names = (columns: readonly ColumnSchema[]): string => columns.map((column) => quoteIdentifier(column.name)).join(", ")
  const partitionKey = table.partitionKey.length === 1 ? names(table.partitionKey) : `(${names(table.partitionKey)})`
  return `PRIMARY KEY (${[partitionKey, ...shown(table.clustering).map((column) => quoteIdentifier(column.name))].join(", ")})`
}

function dropText(table: TableSchema, dropped: DroppedColumn): string {
  const drop = `\nALTER TABLE ${tableName(table)} DROP ${quoteIdentifier(dropped.name)} USING TIMESTAMP ${dropped.droppedAtMicros};`
  const again = table.columnByName.get(dropped.name)
  return again === undefined ? drop : `${drop}\nALTER TABLE ${tableName(table)} ADD ${columnText(again)};`
}

/** REQUIRES: `view` is a view of `base`. */
export function createViewText(base: TableSchema, view: TableSchema, withInternals: boolean): string {
  const selection = view.view?.includeAllColumns === true ? "*" : inTextOrder(view).map((column) => quoteIdentifier(column.name)).join(", ")
  return [
    `CREATE MATERIALIZED VIEW ${tableName(view)} AS`,
    `${INDENT}SELECT ${selection}`,
    `${INDENT}FROM ${tableName(base)}`,
    `${INDENT}WHERE ${view.view?.whereClause ?? ""}`,
    `${INDENT}${primaryKeyText(view)}`,
    optionsText(view, false, withInternals),
  ].join("\n")
}
