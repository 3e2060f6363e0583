// CREATE TABLE.
//
// Columns get their ids here: partition key, clustering, then statics and regulars each sorted by name, so that ascending
// ids are the order of SELECT *. Ids are never given again; columns added later get higher ones.
import { type CqlType, isMultiCell } from "../../data/cql-type.ts"
import type { ColumnDescriptor, KeyspaceDescriptor, TableDescriptor } from "../../data/schema.ts"
import { quoteIdentifier, typeName } from "../../data/types/type-name.ts"
import { AlreadyExistsError, InvalidRequestError } from "../errors.ts"
import type { ColumnDefinition, CreateTableStatement, PrimaryKeyDefinition } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { checkClusteringOrder, checkColumnName } from "./columns.ts"
import {
  changed, checkModifiable, checkTableName, findKeyspace, findTable, keyspaceOf, typeScope, unchanged, withKeyspace, withTables, writtenName,
} from "./edit.ts"
import { compactColumns } from "./compact.ts"
import { newOptions } from "./options.ts"
import { isCounter, referencesDuration, resolveType } from "./types.ts"

export function createTable(statement: CreateTableStatement, session: string | null): SchemaPlan["transform"] {
  const keyspaceName = keyspaceOf(statement.table, session)
  const name = statement.table.name
  const primaryKey = primaryKeyOf(statement)
  checkDeclarations(statement)
  return (schema, descriptor, _nowMicros, newUuid) => {
    checkModifiable(schema, descriptor, keyspaceName, `CREATE <all tables in ${keyspaceName}>`)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    if (keyspace === null) throw new InvalidRequestError(`Keyspace '${keyspaceName}' doesn't exist`)
    const given = newOptions(statement.properties)
    if (findTable(keyspace, name) !== null) {
      if (statement.ifNotExists) return unchanged(descriptor)
      throw new AlreadyExistsError(keyspaceName, name, `Cannot add already existing table "${name}" to keyspace "${keyspaceName}"`)
    }
    const declared = buildColumns(statement, primaryKey, keyspace)
    const columns = statement.compactStorage ? compactColumns(declared) : declared
    checkTableName(keyspaceName, name)
    if (columns.some(({ type }) => isCounter(type))) refuseTimeToLive(given.options)
    const table: TableDescriptor = {
      id: descriptor.nextTableId,
      uuid: given.uuid ?? newUuid(),
      keyspace: keyspaceName,
      name,
      columns,
      nextColumnId: columns.length,
      droppedColumns: [],
      options: given.options,
      view: null,
      ...(statement.compactStorage ? { compact: true } : {}),
      epoch: 0,
      truncationEpoch: 0,
    }
    const next = { ...withKeyspace(descriptor, withTables(keyspace, table)), nextTableId: descriptor.nextTableId + 1 }
    return changed(next, "CREATED", "TABLE", keyspaceName, name)
  }
}

function primaryKeyOf(statement: CreateTableStatement): PrimaryKeyDefinition {
  const inline = statement.columns.filter((column) => column.primaryKey).map((column) => ({ partitionKey: [column.name], clustering: [] }))
  const keys: PrimaryKeyDefinition[] = [...inline, ...statement.primaryKeys]
  const table = writtenName(statement.table)
  if (keys.length > 1) throw new InvalidRequestError(`Multiple PRIMARY KEY specified for table '${table}' (exactly one required)`)
  const [key] = keys
  if (key === undefined) throw new InvalidRequestError(`No PRIMARY KEY specifed for table '${table}' (exactly one required)`)
  return key
}

/** What can be said without the schema. */
function checkDeclarations(statement: CreateTableStatement): void {
  const names = new Set<string>()
  for (const { name, mask } of statement.columns) {
    checkColumnName(name)
    if (names.has(name)) throw new InvalidRequestError(`Duplicate column '${name}' declaration for table '${writtenName(statement.table)}'`)
    names.add(name)
    if (mask !== null) refuseMasks()
  }
}

/** Of a table with counters. */
export function refuseTimeToLive(options: Pick<TableDescriptor["options"], "defaultTimeToLive">): void {
  if (options.defaultTimeToLive > 0) throw new InvalidRequestError("Cannot set default_time_to_live on a table with counters")
}

export function refuseMasks(): never {
  throw new InvalidRequestError("Cannot mask columns because dynamic data masking is not enabled. You can enable it with the dynamic_data_masking_enabled property on cassandra.yaml")
}

interface TypedColumn extends ColumnDefinition {
  readonly cqlType: CqlType
}

function buildColumns(statement: CreateTableStatement, primaryKey: PrimaryKeyDefinition, keyspace: KeyspaceDescriptor): ColumnDescriptor[] {
  const scope = typeScope(keyspace)
  const byName = new Map<string, TypedColumn>()
  for (const column of statement.columns) {
    const cqlType = resolveType(column.type, scope)
    checkNestedCollections(cqlType, "")
    byName.set(column.name, { ...column, cqlType })
  }
  checkPrimaryKey(statement.table.name, primaryKey, byName)
  const order = clusteringDirections(statement, primaryKey)
  const keyNames = new Set([...primaryKey.partitionKey, ...primaryKey.clustering])
  const others = [...byName.values()].filter(({ name }) => !keyNames.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
  const statics = others.filter((column) => column.static)
  const regulars = others.filter((column) => !column.static)
  if (statics.length > 0 && primaryKey.clustering.length === 0) refuseStatics()
  const counters = others.filter((column) => isCounter(column.cqlType))
  if (counters.length > 0 && counters.length < others.length) throw new InvalidRequestError("Cannot mix counter and non counter columns in the same table")
  const columns: ColumnDescriptor[] = []
  const add = (name: string, kind: ColumnDescriptor["kind"], position: number): void => {
    const { cqlType } = byName.get(name) as TypedColumn
    columns.push({ id: columns.length, name, type: cqlType, kind, position, reversed: order.get(name) ?? false, hidden: null })
  }
  primaryKey.partitionKey.forEach((name, position) => add(name, "partition_key", position))
  primaryKey.clustering.forEach((name, position) => add(name, "clustering", position))
  for (const { name } of statics) add(name, "static", -1)
  for (const { name } of regulars) add(name, "regular", -1)
  return columns
}

export function refuseStatics(): never {
  throw new InvalidRequestError("Static columns are only useful (and thus allowed) if the table has at least one clustering column")
}

/** A user type that is not frozen cannot hold another value of several cells. */
export function checkNestedCollections(type: CqlType, where: string): void {
  if (type.kind === "udt" && !type.frozen && type.fields.some((field) => isMultiCell(field.type))) {
    throw new InvalidRequestError(`Non-frozen UDTs with nested non-frozen collections are not supported${where}`)
  }
}

function checkPrimaryKey(table: string, primaryKey: PrimaryKeyDefinition, columns: ReadonlyMap<string, TypedColumn>): void {
  const seen = new Set<string>()
  for (const name of [...primaryKey.partitionKey, ...primaryKey.clustering]) {
    const column = columns.get(name)
    if (column === undefined) throw new InvalidRequestError(`Unknown column '${name}' referenced in PRIMARY KEY for table '${table}'`)
    if (seen.has(name)) throw new InvalidRequestError(`Duplicate column '${name}' in PRIMARY KEY clause for table '${table}'`)
    seen.add(name)
    const type = column.cqlType
    if (isMultiCell(type)) {
      const what = type.kind === "udt" ? "user-defined" : "collection"
      throw new InvalidRequestError(`Invalid non-frozen ${what} type ${typeName(type)} for PRIMARY KEY column '${name}'`)
    }
    if (isCounter(type)) throw new InvalidRequestError(`counter type is not supported for PRIMARY KEY column '${name}'`)
    if (referencesDuration(type)) throw new InvalidRequestError(`duration type is not supported for PRIMARY KEY column '${name}'`)
    if (column.static) throw new InvalidRequestError(`Static column '${name}' cannot be part of the PRIMARY KEY`)
  }
}

/** Clustering column to whether it descends. */
function clusteringDirections(statement: CreateTableStatement, primaryKey: PrimaryKeyDefinition): ReadonlyMap<string, boolean> {
  const order = checkClusteringOrder(statement.clusteringOrder, `table '${writtenName(statement.table)}'`)
  const strangers = [...order.keys()].filter((name) => !primaryKey.clustering.includes(name))
  if (strangers.length > 0) {
    throw new InvalidRequestError(`Only clustering key columns can be defined in CLUSTERING ORDER directive: [${strangers.join(", ")}] are not clustering columns`)
  }
  let position = 0
  for (const name of order.keys()) {
    const expected = primaryKey.clustering[position] as string
    if (name !== expected) {
      if (!order.has(expected)) throw new InvalidRequestError(`Missing CLUSTERING ORDER for column ${quoteIdentifier(expected)}`)
      throw new InvalidRequestError(
        `The order of columns in the CLUSTERING ORDER directive must match that of the clustering columns (${quoteIdentifier(expected)} must appear before ${quoteIdentifier(name)})`,
      )
    }
    position++
  }
  return order
}
