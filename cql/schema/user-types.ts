// CREATE, ALTER and DROP TYPE. Descriptors hold user types in full wherever they are used, so that a change of one is a
// change of every table and type that uses it.
import type { CqlType } from "../../data/cql-type.ts"
import type { KeyspaceDescriptor, SchemaDescriptor, TableDescriptor, TypeDescriptor } from "../../data/schema.ts"
import { RESERVED_TYPE_NAMES } from "../language/reserved-words.ts"
import { InvalidRequestError } from "../errors.ts"
import type { TypeNode } from "../language/ast-terms.ts"
import type { AlterTypeStatement, CreateTypeStatement, DropTypeStatement, TypeField } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { changed, checkModifiable, findKeyspace, keyspaceOf, typeScope, unchanged, withKeyspace, withType } from "./edit.ts"
import { referencesUserType, replaceUserType, resolveType, typeNodeText } from "./types.ts"

type Transform = SchemaPlan["transform"]
type Field = TypeDescriptor["fields"][number]

const MAX_FIELDS = 32_768

export function createType(statement: CreateTypeStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.type, session)
  const name = statement.type.name
  if (RESERVED_TYPE_NAMES.has(name)) throw new InvalidRequestError(`Invalid (reserved) user type name ${name}`)
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `CREATE <all tables in ${keyspaceName}>`)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    if (keyspace === null) throw new InvalidRequestError(`Keyspace '${keyspaceName}' doesn't exist`)
    if (keyspace.types.some((type) => type.name === name)) {
      if (statement.ifNotExists) return unchanged(descriptor)
      throw new InvalidRequestError(`A user type with name '${name}' already exists`)
    }
    const seen = new Set<string>()
    for (const field of statement.fields) {
      if (seen.has(field.name)) throw new InvalidRequestError(`Duplicate field name '${field.name}' in type '${name}'`)
      seen.add(field.name)
    }
    const fields = statement.fields.map((field) => resolveField(field, keyspace))
    return changed(withKeyspace(descriptor, withType(keyspace, { name, fields })), "CREATED", "TYPE", keyspaceName, name)
  }
}

function resolveField(field: TypeField, keyspace: KeyspaceDescriptor): Field {
  if (isCounterNode(field.type)) throw new InvalidRequestError("A user type cannot contain counters")
  if (field.type.kind === "user") throw new InvalidRequestError("A user type cannot contain non-frozen UDTs")
  return { name: field.name, type: resolveType(field.type, typeScope(keyspace)) }
}

function isCounterNode(node: TypeNode): boolean {
  return node.kind === "native" && node.name === "counter"
}

export function alterType(statement: AlterTypeStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.type, session)
  const name = statement.type.name
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `ALTER <all tables in ${keyspaceName}>`)
    const found = existingType(descriptor, keyspaceName, name)
    if (found === null) {
      if (statement.ifExists) return unchanged(descriptor)
      throw new InvalidRequestError(`Type ${keyspaceName}.${name} doesn't exist`)
    }
    const fields = alteredFields(statement.alteration, found.type, found.keyspace)
    if (fields === found.type.fields) return unchanged(descriptor)
    const next = withChangedType(found.keyspace, { name, fields })
    return changed(withKeyspace(descriptor, next), "UPDATED", "TYPE", keyspaceName, name)
  }
}

function alteredFields(alteration: AlterTypeStatement["alteration"], type: TypeDescriptor, keyspace: KeyspaceDescriptor): readonly Field[] {
  switch (alteration.kind) {
    case "add":
      return fieldsWith(alteration.field, alteration.ifNotExists, type, keyspace)
    case "rename":
      return renamedFields(alteration.fields, alteration.ifExists, type, keyspace.name)
    case "alterField":
      throw new InvalidRequestError("Altering field types is no longer supported")
  }
}

function fieldsWith(field: TypeField, ifNotExists: boolean, type: TypeDescriptor, keyspace: KeyspaceDescriptor): readonly Field[] {
  if (type.fields.some(({ name }) => name === field.name)) {
    if (ifNotExists) return type.fields
    throw new InvalidRequestError(`Cannot add field ${field.name} to type ${keyspace.name}.${type.name}: a field with name ${field.name} already exists`)
  }
  const added = resolveField(field, keyspace)
  if (referencesUserType(added.type, keyspace.name, type.name)) {
    throw new InvalidRequestError(`Cannot add new field ${field.name} of type ${typeNodeText(qualified(field.type, keyspace.name))} to user type ${keyspace.name}.${type.name} as it would create a circular reference`)
  }
  if (type.fields.length >= MAX_FIELDS) {
    throw new InvalidRequestError(`Cannot add new field ${field.name} to type ${type.name}: maximum number of fields reached`)
  }
  const inKeys = tablesWithKey(keyspace, type.name)
  if (inKeys.length > 0) {
    throw new InvalidRequestError(
      `Cannot add new field ${field.name} to user type ${keyspace.name}.${type.name} as the type is being used in the primary key by the following tables: ${inKeys.join(", ")}`,
    )
  }
  return [...type.fields, added]
}

/** The type as written, with its user types' keyspace. */
function qualified(node: TypeNode, keyspace: string): TypeNode {
  switch (node.kind) {
    case "user":
      return { ...node, keyspace }
    case "frozen":
      return { ...node, type: qualified(node.type, keyspace) }
    case "list":
    case "set":
    case "vector":
      return { ...node, element: qualified(node.element, keyspace) }
    case "map":
      return { ...node, key: qualified(node.key, keyspace), value: qualified(node.value, keyspace) }
    case "tuple":
      return { ...node, elements: node.elements.map((element) => inTuple(qualified(element, keyspace))) }
    default:
      return node
  }
}

/** What is in a tuple is frozen without saying so. */
function inTuple(node: TypeNode): TypeNode {
  return node.kind === "user" ? { kind: "frozen", type: node } : node
}

function tablesWithKey(keyspace: KeyspaceDescriptor, type: string): string[] {
  const uses = (table: TableDescriptor): boolean =>
    table.columns.some((column) => column.position >= 0 && referencesUserType(column.type, keyspace.name, type))
  return keyspace.tables.filter(uses).map((table) => `${keyspace.name}.${table.name}`)
}

function renamedFields(renames: readonly { readonly from: string; readonly to: string }[], ifExists: boolean, type: TypeDescriptor, keyspace: string): readonly Field[] {
  const fields = [...type.fields]
  for (const { from, to } of renames) {
    const index = fields.findIndex((field) => field.name === from)
    if (index < 0) {
      if (ifExists) continue
      // Cassandra's spelling.
      throw new InvalidRequestError(`Unkown field ${from} in user type ${keyspace}.${type.name}`)
    }
    fields[index] = { ...(fields[index] as Field), name: to }
  }
  const names = new Set<string>()
  for (const { name } of fields) {
    if (names.has(name)) throw new InvalidRequestError(`Duplicate field name ${name} in type ${keyspace}`)
    names.add(name)
  }
  return fields
}

/** The keyspace with the type in its new form, in every type and table. */
function withChangedType(keyspace: KeyspaceDescriptor, changedType: TypeDescriptor): KeyspaceDescriptor {
  const types = keyspace.types.map((type) => (type.name === changedType.name ? changedType : withFields(type, keyspace.name, changedType)))
  // Types may hold other types that hold the changed one: what a table holds is replaced from the innermost outwards.
  const tables = keyspace.tables.map((table) => {
    if (!table.columns.some((column) => referencesUserType(column.type, keyspace.name, changedType.name))) return table
    return { ...table, columns: table.columns.map((column) => ({ ...column, type: replaceUserType(column.type, keyspace.name, changedType) })) }
  })
  const replace = (type: CqlType): CqlType => replaceUserType(type, keyspace.name, changedType)
  const functions = keyspace.functions?.map((each) => ({ ...each, argumentTypes: each.argumentTypes.map(replace), returnType: replace(each.returnType) }))
  const aggregates = keyspace.aggregates?.map((each) => ({
    ...each, argumentTypes: each.argumentTypes.map(replace), returnType: replace(each.returnType), stateType: replace(each.stateType),
  }))
  return { ...keyspace, types, tables, ...(functions === undefined ? {} : { functions }), ...(aggregates === undefined ? {} : { aggregates }) }
}

function withFields(type: TypeDescriptor, keyspace: string, changedType: TypeDescriptor): TypeDescriptor {
  return { ...type, fields: type.fields.map((field) => ({ ...field, type: replaceUserType(field.type, keyspace, changedType) })) }
}

export function dropType(statement: DropTypeStatement, session: string | null): Transform {
  const keyspaceName = keyspaceOf(statement.type, session)
  const name = statement.type.name
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `DROP <all tables in ${keyspaceName}>`)
    const found = existingType(descriptor, keyspaceName, name)
    if (found === null) {
      if (statement.ifExists) return unchanged(descriptor)
      throw new InvalidRequestError(`Type '${keyspaceName}.${name}' doesn't exist`)
    }
    const { keyspace } = found
    const types = keyspace.types.filter((type) => type.name !== name && type.fields.some((field) => referencesUserType(field.type, keyspaceName, name)))
    refuseUsed(keyspaceName, name, "functions", functionsWith(keyspace, name))
    refuseUsed(keyspaceName, name, "user types", types)
    const tables = keyspace.tables.filter((table) => table.columns.some((column) => referencesUserType(column.type, keyspaceName, name)))
    refuseUsed(keyspaceName, name, "tables", tables)
    const next = { ...keyspace, types: keyspace.types.filter((type) => type.name !== name) }
    return changed(withKeyspace(descriptor, next), "DROPPED", "TYPE", keyspaceName, name)
  }
}

function functionsWith(keyspace: KeyspaceDescriptor, type: string): { readonly name: string }[] {
  const uses = (types: readonly CqlType[]): boolean => types.some((each) => referencesUserType(each, keyspace.name, type))
  return [
    ...(keyspace.functions ?? []).filter(({ argumentTypes, returnType }) => uses([...argumentTypes, returnType])),
    ...(keyspace.aggregates ?? []).filter(({ argumentTypes, returnType, stateType }) => uses([...argumentTypes, returnType, stateType])),
  ].map(({ name }) => ({ name: `${keyspace.name}.${name}` }))
}

function refuseUsed(keyspace: string, type: string, what: string, users: readonly { readonly name: string }[]): void {
  if (users.length === 0) return
  throw new InvalidRequestError(`Cannot drop user type '${keyspace}.${type}' as it is still used by ${what} ${users.map((user) => user.name).join(", ")}`)
}

function existingType(
  descriptor: SchemaDescriptor, keyspaceName: string, name: string,
): { readonly keyspace: KeyspaceDescriptor; readonly type: TypeDescriptor } | null {
  const keyspace = findKeyspace(descriptor, keyspaceName)
  const type = keyspace?.types.find((each) => each.name === name)
  return keyspace === null || type === undefined ? null : { keyspace, type }
}
