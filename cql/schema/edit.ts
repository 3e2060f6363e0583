// Small changes of schema descriptors, and the checks that every schema statement begins with. Nothing is changed in
// place: each function gives a new descriptor that shares what stayed the same.
import type { KeyspaceDescriptor, Schema, SchemaDescriptor, TableDescriptor, TypeDescriptor } from "../../data/schema.ts"
import { AlreadyExistsError, ConfigurationError, ERROR_CODE, InvalidRequestError, RequestError } from "../errors.ts"
import type { TableName } from "../language/ast-dml.ts"
import type { SchemaOutcome } from "../plan.ts"
import type { SchemaEvent } from "../request.ts"
import type { TypeScope } from "./types.ts"

const VALID_NAME = /^\w+$/
const MAX_KEYSPACE_LENGTH = 48
/** Cassandra's: what a file name leaves beside the table's id. */
const MAX_TABLE_LENGTH = 222
/** Keyspaces that Cassandra replicates: it refuses to change them as somebody without permission. */
const REPLICATED_SYSTEM: ReadonlySet<string> = new Set(["system_auth", "system_distributed", "system_traces"])

/** The keyspace that a name is in. Throws when there is none. */
export function keyspaceOf(name: TableName, session: string | null): string {
  const keyspace = name.keyspace ?? session
  if (keyspace === null) {
    throw new InvalidRequestError("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
  }
  return keyspace
}

/** As messages name a table or view: as it was written. */
export function writtenName(name: TableName): string {
  return name.keyspace === null ? name.name : `${name.keyspace}.${name.name}`
}

export function checkKeyspaceName(name: string): void {
  if (!VALID_NAME.test(name)) {
    throw new InvalidRequestError(`Keyspace name must not be empty and must contain alphanumeric or underscore characters only (got "${name}")`)
  }
  if (name.length > MAX_KEYSPACE_LENGTH) {
    throw new InvalidRequestError(`Keyspace name must not be more than ${MAX_KEYSPACE_LENGTH} characters long (got ${name.length} characters for "${name}")`)
  }
}

export function checkTableName(keyspace: string, name: string): void {
  if (!VALID_NAME.test(name)) {
    throw new ConfigurationError(`${keyspace}.${name}: Table name must not be empty or not contain non-alphanumeric-underscore characters (got "${name}")`)
  }
  if (name.length > MAX_TABLE_LENGTH) {
    throw new ConfigurationError(`${keyspace}.${name}: Table name must not be more than ${MAX_TABLE_LENGTH} characters long (got ${name.length} characters for "${name}")`)
  }
}

/** Throws when the keyspace is one that every release brings along. `action`: what is denied, as in `DROP <table ks.t>`. */
export function checkModifiable(schema: Schema, descriptor: SchemaDescriptor, name: string, action: string): void {
  if (!bringsAlong(schema, descriptor, name)) return
  throw new RequestError(ERROR_CODE.unauthorized, REPLICATED_SYSTEM.has(name) ? `Cannot ${action}` : `${name} keyspace is not user-modifiable.`)
}

/** CREATE KEYSPACE has other words than the rest. */
export function checkCreatable(schema: Schema, descriptor: SchemaDescriptor, name: string): void {
  if (!bringsAlong(schema, descriptor, name)) return
  if (REPLICATED_SYSTEM.has(name)) throw new AlreadyExistsError(name, "", `Cannot add existing keyspace "${name}"`)
  throw new InvalidRequestError(`System keyspace '${name}' is not user-modifiable`)
}

function bringsAlong(schema: Schema, descriptor: SchemaDescriptor, name: string): boolean {
  return schema.keyspaces.has(name) && !descriptor.keyspaces.some((keyspace) => keyspace.name === name)
}

export function findKeyspace(descriptor: SchemaDescriptor, name: string): KeyspaceDescriptor | null {
  return descriptor.keyspaces.find((keyspace) => keyspace.name === name) ?? null
}

export function findTable(keyspace: KeyspaceDescriptor | null, name: string): TableDescriptor | null {
  return keyspace?.tables.find((table) => table.name === name) ?? null
}

/** The views of the table, by name. */
export function viewsOf(keyspace: KeyspaceDescriptor, table: TableDescriptor): TableDescriptor[] {
  return keyspace.tables.filter(({ view }) => view?.baseTable === table.id).sort((a, b) => (a.name < b.name ? -1 : 1))
}

export function typeScope(keyspace: KeyspaceDescriptor): TypeScope {
  return { keyspace: keyspace.name, types: new Map(keyspace.types.map((type) => [type.name, type])) }
}

/** Adds the keyspace, or replaces the one of its name. Keyspaces stay sorted by name. */
export function withKeyspace(descriptor: SchemaDescriptor, keyspace: KeyspaceDescriptor): SchemaDescriptor {
  return { ...descriptor, keyspaces: byName([...descriptor.keyspaces.filter(({ name }) => name !== keyspace.name), keyspace]) }
}

export function withoutKeyspace(descriptor: SchemaDescriptor, dropped: string): SchemaDescriptor {
  return { ...descriptor, keyspaces: descriptor.keyspaces.filter(({ name }) => name !== dropped) }
}

/** Adds tables, or replaces those of their names. */
export function withTables(keyspace: KeyspaceDescriptor, ...tables: TableDescriptor[]): KeyspaceDescriptor {
  const names = new Set(tables.map(({ name }) => name))
  return { ...keyspace, tables: byName([...keyspace.tables.filter(({ name }) => !names.has(name)), ...tables]) }
}

export function withoutTable(keyspace: KeyspaceDescriptor, dropped: string): KeyspaceDescriptor {
  return { ...keyspace, tables: keyspace.tables.filter(({ name }) => name !== dropped) }
}

export function withType(keyspace: KeyspaceDescriptor, type: TypeDescriptor): KeyspaceDescriptor {
  return { ...keyspace, types: byName([...keyspace.types.filter(({ name }) => name !== type.name), type]) }
}

function byName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Nothing to do: IF [NOT] EXISTS. */
export function unchanged(descriptor: SchemaDescriptor): SchemaOutcome {
  return { next: descriptor, event: null, warnings: [] }
}

export function changed(
  next: SchemaDescriptor, change: SchemaEvent["change"], target: SchemaEvent["target"], keyspace: string, name: string, warnings: readonly string[] = [],
): SchemaOutcome {
  return { next, event: { change, target, keyspace, name }, warnings }
}
