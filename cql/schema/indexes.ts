// CREATE INDEX and DROP INDEX. An index belongs to its table's descriptor; its entries get a table id of their own. Checks
// come in Cassandra's order. `USING` names a class: those of storage-attached indexes make a CUSTOM index.
import { isStorageAttachedClass } from "../../data/index-table.ts"
import type { ColumnDescriptor, IndexDescriptor, KeyspaceDescriptor, TableDescriptor } from "../../data/schema.ts"
import { isMultiCell } from "../../data/cql-type.ts"
import { ConfigurationError, InvalidRequestError } from "../errors.ts"
import type { CreateIndexStatement, DropIndexStatement, IndexTarget } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { undefinedColumn } from "../statements/find-table.ts"
import { changed, checkModifiable, findKeyspace, findTable, keyspaceOf, unchanged, withKeyspace, withTables } from "./edit.ts"
import { type Target, VECTOR_INDEX_WARNING, checkStorageAttached, isFloatVector } from "./index-options.ts"
import { Properties } from "./properties.ts"
import { isCounter, referencesDuration } from "./types.ts"

type Transform = SchemaPlan["transform"]

const LEGACY_CLASS = "legacy_local_table"
const SASI_CLASS = "org.apache.cassandra.index.sasi.SASIIndex"
const KNOWN_PROPERTIES = new Set(["options"])

export function createIndex(statement: CreateIndexStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.table, statement.index?.keyspace ?? session)
  const className = statement.className ?? LEGACY_CLASS
  const isCustom = statement.custom || className.toLowerCase() !== LEGACY_CLASS
  const given = new Properties(statement.properties, KNOWN_PROPERTIES).map("options")
  if (!isCustom && given !== undefined) throw new InvalidRequestError("Cannot specify options for a non-CUSTOM index")
  for (const key of ["class_name", "target"]) if (given?.has(key) === true) throw new InvalidRequestError(`Cannot specify ${key} as a CUSTOM option`)
  const options = isCustom ? { ...Object.fromEntries(given ?? []), class_name: className } : {}
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `ALTER <table ${keyspaceName}.${statement.table.name}>`)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    if (keyspace === null) throw new InvalidRequestError(`Keyspace '${keyspaceName}' doesn't exist`)
    const table = findTable(keyspace, statement.table.name)
    if (table === null) throw new InvalidRequestError(`Table '${statement.table.name}' doesn't exist`)
    const givenName = statement.index?.name ?? null
    if (givenName !== null && indexNames(keyspace).has(givenName)) {
      if (statement.ifNotExists) return unchanged(descriptor)
      throw new InvalidRequestError(`Index '${givenName}' already exists`)
    }
    if (table.columns.some(({ type }) => isCounter(type))) throw new InvalidRequestError("Secondary indexes on counter tables aren't supported")
    if (table.view !== null) throw new InvalidRequestError("Secondary indexes on materialized views aren't supported")
    const targets = statement.targets.map((target) => checkedTarget(target, table))
    if (targets.length === 0 && !isCustom) throw new InvalidRequestError("Only CUSTOM indexes can be created without specifying a target column")
    if (targets.length > 1) checkSeveral(targets, isCustom)
    for (const target of targets) checkTarget(target, table)
    const name = givenName ?? availableName(keyspace, table, targets)
    const [first] = targets
    const same = targets.length === 1 ? table.indexes?.find((index) => isSame(index, first as Target, isCustom, options)) : undefined
    if (same !== undefined) {
      if (statement.ifNotExists) return unchanged(descriptor)
      throw new InvalidRequestError(`Index ${name} is a duplicate of existing index ${same.name}`)
    }
    if (!/^\w+$/.test(name)) throw new ConfigurationError(`Illegal index name ${name}`)
    if (isCustom) checkClass(className, targets, table, options)
    const target = first as Target
    const index: IndexDescriptor = { id: descriptor.nextTableId, name, kind: isCustom ? "CUSTOM" : "COMPOSITES", column: target.column.id, part: target.part, options }
    const next = { ...withKeyspace(descriptor, withTables(keyspace, withIndex(table, index))), nextTableId: descriptor.nextTableId + 1 }
    const warnings = isCustom && isFloatVector(target.column.type) ? [VECTOR_INDEX_WARNING] : []
    return changed(next, "UPDATED", "TABLE", keyspaceName, table.name, warnings)
  }
}

function checkedTarget({ kind, column: name }: IndexTarget, table: TableDescriptor): Target {
  const column = table.columns.find((each) => each.name === name && each.hidden === null)
  if (column === undefined) throw undefinedColumn(name, table)
  const isCollection = column.type.kind === "list" || column.type.kind === "set" || column.type.kind === "map"
  return { column, part: kind === "simple" && isCollection ? "values" : kind }
}

function checkSeveral(targets: readonly Target[], isCustom: boolean): void {
  if (!isCustom) throw new InvalidRequestError("Only CUSTOM indexes support multiple columns")
  const seen = new Set<string>()
  for (const { column } of targets) {
    if (seen.has(column.name)) throw new InvalidRequestError(`Duplicate column '${column.name}' in index target list`)
    seen.add(column.name)
  }
}

function checkTarget({ column, part }: Target, table: TableDescriptor): void {
  const { name, type } = column
  if (referencesDuration(type)) {
    const where = type.kind === "native" ? "duration columns" : `${type.kind === "tuple" ? "tuples" : type.kind === "udt" ? "UDTs" : "collections"} containing durations`
    throw new InvalidRequestError(`Secondary indexes are not supported on ${where}`)
  }
  if (column.kind === "partition_key" && table.columns.filter(({ kind }) => kind === "partition_key").length === 1) {
    throw new InvalidRequestError(`Cannot create secondary index on the only partition key column ${name}`)
  }
  const isCollection = type.kind === "list" || type.kind === "set" || type.kind === "map"
  const isFrozen = isCollection && !isMultiCell(type)
  if (isFrozen && part !== "full") {
    throw new InvalidRequestError(
      `Cannot create ${part}() index on frozen column ${name}. Frozen collections are immutable and must be fully indexed by using the 'full(${name})' modifier`,
    )
  }
  if (!isFrozen && part === "full") throw new InvalidRequestError("full() indexes can only be created on frozen collections")
  if (!isCollection && part !== "simple") throw new InvalidRequestError(`Cannot create ${part}() index on ${name}. Non-collection columns only support simple indexes`)
  if ((part === "keys" || part === "entries") && type.kind !== "map") throw new InvalidRequestError(`Cannot create index on ${part} of column ${name} with non-map type`)
  if (type.kind === "udt" && isMultiCell(type)) throw new InvalidRequestError(`Cannot create index on non-frozen UDT column ${name}`)
}

function checkClass(className: string, targets: readonly Target[], table: TableDescriptor, options: Readonly<Record<string, string>>): void {
  if (className === SASI_CLASS) throw new InvalidRequestError("SASI indexes are disabled. Enable in cassandra.yaml to use.")
  if (!isStorageAttachedClass(className)) throw new ConfigurationError(`Unable to find custom indexer class '${className}'`)
  checkStorageAttached(targets, table, options)
}

function isSame(index: IndexDescriptor, { column, part }: Target, isCustom: boolean, options: Readonly<Record<string, string>>): boolean {
  if (index.column !== column.id || index.part !== part || (index.kind === "CUSTOM") !== isCustom) return false
  const keys = Object.keys(options)
  return keys.length === Object.keys(index.options).length && keys.every((key) => index.options[key] === options[key])
}

function indexNames(keyspace: KeyspaceDescriptor): Set<string> {
  return new Set(keyspace.tables.flatMap(({ indexes = [] }) => indexes.map(({ name }) => name)))
}

function availableName(keyspace: KeyspaceDescriptor, table: TableDescriptor, targets: readonly Target[]): string {
  const only = targets.length === 1 ? `_${(targets[0] as Target).column.name}` : ""
  const base = `${table.name}${only}_idx`.replaceAll(/\W/g, "")
  const taken = indexNames(keyspace)
  let name = base
  for (let count = 1; taken.has(name); count++) name = `${base}_${count}`
  return name
}

function withIndex(table: TableDescriptor, index: IndexDescriptor): TableDescriptor {
  return { ...table, indexes: [...(table.indexes ?? []), index].toSorted((a, b) => (a.name < b.name ? -1 : 1)) }
}

export function dropIndex(statement: DropIndexStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.index, session)
  const { name } = statement.index
  return (schema, descriptor) => {
    if (schema.keyspaces.has(keyspaceName) && findKeyspace(descriptor, keyspaceName) === null) {
      throw new InvalidRequestError(`System keyspace '${keyspaceName}' is not user-modifiable`)
    }
    const keyspace = findKeyspace(descriptor, keyspaceName)
    const table = keyspace?.tables.find(({ indexes = [] }) => indexes.some((index) => index.name === name))
    if (keyspace === null || table === undefined) {
      if (statement.ifExists) return unchanged(descriptor)
      // The quotation mark at the end is Cassandra's.
      throw new InvalidRequestError(`Index '${keyspaceName}.${name}' doesn't exist'`)
    }
    const { indexes = [], ...rest } = table
    const left = indexes.filter((index) => index.name !== name)
    const next = left.length === 0 ? rest : { ...rest, indexes: left }
    return changed(withKeyspace(descriptor, withTables(keyspace, next)), "UPDATED", "TABLE", keyspaceName, table.name)
  }
}

/** Names of the indexes of a column, or null. */
export function dependentIndexes(table: TableDescriptor, column: ColumnDescriptor): string | null {
  const names = (table.indexes ?? []).filter((index) => index.column === column.id).map(({ name }) => name)
  return names.length === 0 ? null : names.join(", ")
}
