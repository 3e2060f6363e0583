// CREATE MATERIALIZED VIEW: a table whose primary key columns are base columns in another order.
//
// Cassandra's warning that views are experimental is left out on purpose: ours are not.
import { isMultiCell } from "../../data/cql-type.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import type { TableDescriptor, TableSchema } from "../../data/schema.ts"
import { typeName } from "../../data/types/type-name.ts"
import { AlreadyExistsError, InvalidRequestError, SyntaxError } from "../errors.ts"
import type { FunctionContext } from "../functions/context.ts"
import type { CreateViewStatement } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { undefinedColumn } from "../statements/find-table.ts"
import { checkClusteringOrder } from "./columns.ts"
import { changed, checkModifiable, checkTableName, findKeyspace, findTable, keyspaceOf, unchanged, withKeyspace, withTables, writtenName } from "./edit.ts"
import { type GivenOptions, newOptions } from "./options.ts"
import { isCounter, referencesDuration } from "./types.ts"
import { ViewColumns } from "./view-columns.ts"
import { type WhereScope, viewWhere } from "./view-where.ts"

/** Why views want a grace period. */
export const LOW_GC_GRACE =
  "since this value is used to TTL undelivered updates. Setting gc_grace_seconds too low might cause undelivered updates to expire before being replayed."

export function createView(statement: CreateViewStatement, session: string | null, functions: FunctionContext): SchemaPlan["transform"] {
  if (statement.compactStorage) throw new SyntaxError("COMPACT STORAGE tables are not allowed starting with version 4.0")
  const keyspaceName = keyspaceOf(statement.view, session)
  const name = statement.view.name
  if (statement.baseTable.keyspace !== null && statement.baseTable.keyspace !== keyspaceName) {
    throw new InvalidRequestError("Cannot create a materialized view on a table in a different keyspace")
  }
  return (schema, descriptor, nowMicros, newUuid) => {
    checkModifiable(schema, descriptor, keyspaceName, `ALTER <table ${keyspaceName}.${statement.baseTable.name}>`)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    if (keyspace === null) throw new InvalidRequestError(`Keyspace '${keyspaceName}' doesn't exist`)
    const base = findTable(keyspace, statement.baseTable.name)
    // Views are no tables here.
    if (base === null || base.view !== null) throw new InvalidRequestError(`Base table '${statement.baseTable.name}' doesn't exist`)
    const existing = findTable(keyspace, name)
    if (existing !== null) {
      if (existing.view === null) throw new InvalidRequestError(`Cannot create materialized view '${name}' - a table with the same name already exists`)
      if (statement.ifNotExists) return unchanged(descriptor)
      throw new AlreadyExistsError(keyspaceName, name, `Cannot add already existing table "${name}" to keyspace "${keyspaceName}"`)
    }
    const view = buildView({ statement, base, scope: { schema, nowMicros, functions }, id: descriptor.nextTableId, newUuid })
    const next = { ...withKeyspace(descriptor, withTables(keyspace, view)), nextTableId: descriptor.nextTableId + 1 }
    return changed(next, "CREATED", "TABLE", keyspaceName, name)
  }
}

interface ViewInput {
  readonly statement: CreateViewStatement
  readonly base: TableDescriptor
  readonly scope: WhereScope
  readonly id: number
  readonly newUuid: () => string
}

function buildView({ statement, base, scope, id, newUuid }: ViewInput): TableDescriptor {
  const name = statement.view.name
  checkBase(base, name)
  const resolved = resolveTable(base)
  const selected = selectedColumns(statement, resolved)
  checkPrimaryKey(statement, resolved, selected)
  const descending = viewDirections(statement)
  checkCoverage(statement, resolved)
  const keyNames = [...statement.primaryKey.partitionKey, ...statement.primaryKey.clustering]
  const where = viewWhere(statement, resolved, keyNames, scope)
  const given = viewOptions(statement)
  checkTableName(base.keyspace, name)
  const builder = new ViewColumns(resolved)
  statement.primaryKey.partitionKey.forEach((column, position) => builder.key(column, "partition_key", position, false))
  statement.primaryKey.clustering.forEach((column, position) => builder.key(column, "clustering", position, descending.get(column)))
  const view = builder.finish(statement, selected, where)
  return {
    id,
    uuid: given.uuid ?? newUuid(),
    keyspace: base.keyspace,
    name,
    columns: builder.columns,
    nextColumnId: builder.columns.length,
    droppedColumns: [],
    options: given.options,
    view,
    epoch: 0,
    truncationEpoch: 0,
  }
}

function checkBase(base: TableDescriptor, view: string): void {
  if (base.columns.some((column) => isCounter(column.type))) throw new InvalidRequestError("Materialized views are not supported on counter tables")
  if (base.options.gcGraceSeconds === 0) {
    throw new InvalidRequestError(`Cannot create materialized view '${view}' for base table '${base.name}' with gc_grace_seconds of 0, ${LOW_GC_GRACE}`)
  }
}

/** Names of the selected columns; key columns of the view are among them. */
function selectedColumns(statement: CreateViewStatement, base: TableSchema): ReadonlySet<string> {
  const names = new Set<string>()
  if (statement.selectors === null) for (const column of base.columns) names.add(column.name)
  for (const { selectable, alias, text } of statement.selectors ?? []) {
    if (alias !== null) throw new InvalidRequestError(`Cannot use aliases when defining a materialized view (got ${text} AS ${alias})`)
    if (selectable.kind !== "column") throw new InvalidRequestError(`Can only select columns by name when defining a materialized view (got ${text})`)
    if (!base.columnByName.has(selectable.name)) {
      throw undefinedColumn(selectable.name, base)
    }
    names.add(selectable.name)
  }
  for (const { name } of base.statics) {
    if (names.has(name)) throw new InvalidRequestError(`Cannot include static column '${name}' in materialized view '${statement.view.name}'`)
  }
  return names
}

function checkPrimaryKey(statement: CreateViewStatement, base: TableSchema, selected: ReadonlySet<string>): void {
  const view = statement.view.name
  const { partitionKey, clustering } = statement.primaryKey
  if (partitionKey.length === 0) throw new InvalidRequestError(`Must provide at least one partition key column for materialized view '${view}'`)
  const seen = new Set<string>()
  for (const name of [...partitionKey, ...clustering]) {
    const column = selected.has(name) ? base.columnByName.get(name) : undefined
    if (column === undefined) throw new InvalidRequestError(`Unknown column '${name}' referenced in PRIMARY KEY for materialized view '${view}'`)
    if (seen.has(name)) throw new InvalidRequestError(`Duplicate column '${name}' in PRIMARY KEY clause for materialized view '${view}'`)
    seen.add(name)
    if (isMultiCell(column.type)) {
      const what = column.type.kind === "udt" ? "user-defined" : "collection"
      throw new InvalidRequestError(`Invalid non-frozen ${what} type '${typeName(column.type)}' for PRIMARY KEY column '${name}'`)
    }
    if (isCounter(column.type)) throw new InvalidRequestError(`counter type is not supported for PRIMARY KEY column '${name}'`)
    if (referencesDuration(column.type)) throw new InvalidRequestError(`duration type is not supported for PRIMARY KEY column '${name}'`)
  }
}

/** Clustering column to whether it descends; empty when nothing is said. */
function viewDirections(statement: CreateViewStatement): ReadonlyMap<string, boolean> {
  const order = checkClusteringOrder(statement.clusteringOrder, `view '${writtenName(statement.view)}'`)
  const named = [...order.keys()]
  const { clustering } = statement.primaryKey
  if (named.length > 0 && (named.length !== clustering.length || named.some((name, index) => name !== clustering[index]))) {
    throw new InvalidRequestError("Clustering key columns must exactly match columns in CLUSTERING ORDER BY directive")
  }
  return order
}

function checkCoverage(statement: CreateViewStatement, base: TableSchema): void {
  const view = statement.view.name
  const keyNames = new Set([...statement.primaryKey.partitionKey, ...statement.primaryKey.clustering])
  const baseKey = [...base.partitionKey, ...base.clustering].map((column) => column.name)
  const missing = baseKey.filter((name) => !keyNames.has(name))
  if (missing.length > 0) {
    throw new InvalidRequestError(`Cannot create materialized view '${view}' without primary key columns ${missing.join(", ")} from base table '${base.name}'`)
  }
  const added = [...keyNames].filter((name) => !baseKey.includes(name))
  if (added.length > 1) {
    throw new InvalidRequestError(`Cannot include more than one non-primary key column in materialized view primary key (got ${added.join(", ")})`)
  }
}

function viewOptions(statement: CreateViewStatement): GivenOptions {
  const given = newOptions(statement.properties)
  if (given.options.defaultTimeToLive > 0) {
    throw new InvalidRequestError(
      "Cannot set default_time_to_live for a materialized view. Data in a materialized view always expire at the same time than the corresponding data in the parent table.",
    )
  }
  return given
}
