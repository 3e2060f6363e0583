// From a type as written to a type of the schema: user types are looked up, freezing goes all the way down, and what
// Cassandra forbids is refused in its words.
import { type CqlType, type NativeTypeName, isMultiCell } from "../../data/cql-type.ts"
import type { TypeDescriptor } from "../../data/schema.ts"
import { NATIVE_TYPE_NAMES, nativeType, quoteIdentifier } from "../../data/types/type-name.ts"
import { InvalidRequestError, SyntaxError } from "../errors.ts"
import type { TypeNode } from "../language/ast-terms.ts"

const NATIVE_TYPES: ReadonlySet<string> = new Set(NATIVE_TYPE_NAMES)

/** Where user types are found: those of one keyspace, by name. */
export interface TypeScope {
  readonly keyspace: string
  readonly types: ReadonlyMap<string, TypeDescriptor>
}

/** Throws InvalidRequestError. */
export function resolveType(node: TypeNode, scope: TypeScope): CqlType {
  return resolve(node, scope, false)
}

function resolve(node: TypeNode, scope: TypeScope, frozen: boolean): CqlType {
  switch (node.kind) {
    case "native":
      return resolveNative(node.name)
    case "frozen":
      if (node.type.kind === "native" || node.type.kind === "vector") {
        throw new SyntaxError(`frozen<> is only allowed on collections, tuples, and user-defined types (got ${typeNodeText(node.type)})`)
      }
      return resolve(node.type, scope, true)
    case "list":
      return { kind: "list", element: resolveElement(node.element, node, scope, frozen), frozen }
    case "set": {
      const element = resolveElement(node.element, node, scope, frozen)
      if (isDuration(element)) throw new InvalidRequestError(`Durations are not allowed inside sets: ${typeNodeText(node)}`)
      return { kind: "set", element, frozen }
    }
    case "map": {
      const key = resolveElement(node.key, node, scope, frozen)
      if (isDuration(key)) throw new InvalidRequestError(`Durations are not allowed as map keys: ${typeNodeText(node)}`)
      return { kind: "map", key, value: resolveElement(node.value, node, scope, frozen), frozen }
    }
    case "tuple":
      return { kind: "tuple", elements: node.elements.map((element) => notCounter(resolve(element, scope, true), "Counters are not allowed inside tuples")) }
    case "vector":
      return resolveVector(node, scope)
    case "user":
      return resolveUserType(node, scope, frozen)
    case "custom":
      throw new InvalidRequestError(`Custom type '${node.className}' is not supported`)
  }
}

function resolveNative(written: string): CqlType {
  const name = written.toLowerCase() === "varchar" ? "text" : written.toLowerCase()
  if (!NATIVE_TYPES.has(name)) throw new InvalidRequestError(`Unknown type ${written}`)
  return nativeType(name as NativeTypeName)
}

/** An element of a collection: not a counter, and of one cell. */
function resolveElement(node: TypeNode, collection: TypeNode, scope: TypeScope, frozen: boolean): CqlType {
  if (node.kind === "user" && !frozen) throw new InvalidRequestError(`Non-frozen UDTs are not allowed inside collections: ${typeNodeText(collection)}`)
  const type = notCounter(resolve(node, scope, frozen), `Counters are not allowed inside collections: ${typeNodeText(collection)}`)
  if (isMultiCell(type)) {
    const what = type.kind === "udt" ? "UDTs" : "collections"
    throw new InvalidRequestError(`Non-frozen ${what} are not allowed inside collections: ${typeNodeText(collection)}`)
  }
  return type
}

function resolveVector(node: Extract<TypeNode, { kind: "vector" }>, scope: TypeScope): CqlType {
  const element = notCounter(resolve(node.element, scope, true), "Counters are not allowed inside vectors")
  if (node.dimension <= 0) throw new InvalidRequestError(`vectors may only have positive dimensions; given ${node.dimension}`)
  return { kind: "vector", element, dimension: node.dimension }
}

function resolveUserType(node: Extract<TypeNode, { kind: "user" }>, scope: TypeScope, frozen: boolean): CqlType {
  if (node.keyspace !== null && node.keyspace !== scope.keyspace) {
    throw new InvalidRequestError(
      `Statement on keyspace ${scope.keyspace} cannot refer to a user type in keyspace ${node.keyspace}; user types can only be used in the keyspace they are defined in`,
    )
  }
  const type = scope.types.get(node.name)
  if (type === undefined) throw new InvalidRequestError(`Unknown type ${scope.keyspace}.${node.name}`)
  return userType(scope.keyspace, type, frozen)
}

/** The type of a column of the user type. */
export function userType(keyspace: string, type: TypeDescriptor, frozen: boolean): CqlType {
  const fields = frozen ? type.fields.map((field) => ({ name: field.name, type: freeze(field.type) })) : type.fields
  return { kind: "udt", keyspace, name: type.name, fields, frozen }
}

/** The same type with everything in it frozen. */
export function freeze(type: CqlType): CqlType {
  switch (type.kind) {
    case "native":
    case "tuple":
    case "vector":
      return type
    case "list":
    case "set":
      return { ...type, element: freeze(type.element), frozen: true }
    case "map":
      return { ...type, key: freeze(type.key), value: freeze(type.value), frozen: true }
    case "udt":
      return { ...type, fields: type.fields.map((field) => ({ name: field.name, type: freeze(field.type) })), frozen: true }
  }
}

function notCounter(type: CqlType, message: string): CqlType {
  if (isCounter(type)) throw new InvalidRequestError(message)
  return type
}

export function isCounter(type: CqlType): boolean {
  return type.kind === "native" && type.name === "counter"
}

function isDuration(type: CqlType): boolean {
  return type.kind === "native" && type.name === "duration"
}

/** True when a duration is anywhere in the type: such a type has no order. */
export function referencesDuration(type: CqlType): boolean {
  return innerTypes(type).some(isDuration)
}

/** True when the user type is the type or anywhere in it. */
export function referencesUserType(type: CqlType, keyspace: string, name: string): boolean {
  return innerTypes(type).some((inner) => inner.kind === "udt" && inner.keyspace === keyspace && inner.name === name)
}

function innerTypes(type: CqlType): CqlType[] {
  switch (type.kind) {
    case "native":
      return [type]
    case "list":
    case "set":
    case "vector":
      return [type, ...innerTypes(type.element)]
    case "map":
      return [type, ...innerTypes(type.key), ...innerTypes(type.value)]
    case "tuple":
      return [type, ...type.elements.flatMap(innerTypes)]
    case "udt":
      return [type, ...type.fields.flatMap((field) => innerTypes(field.type))]
  }
}

/** The type with the user type `changed` in its new form wherever it occurs. */
export function replaceUserType(type: CqlType, keyspace: string, changed: TypeDescriptor): CqlType {
  if (type.kind === "udt" && type.keyspace === keyspace && type.name === changed.name) return userType(keyspace, changed, type.frozen)
  return withInnerTypes(type, (inner) => replaceUserType(inner, keyspace, changed))
}

/** The type with tuples in the place of user types: what a dropped column is remembered by, since it must outlive the user type. */
export function expandUserTypes(type: CqlType): CqlType {
  if (type.kind === "udt") return { kind: "tuple", elements: type.fields.map((field) => expandUserTypes(field.type)) }
  return withInnerTypes(type, expandUserTypes)
}

/** The type with `change` made to each type it is directly made of. */
function withInnerTypes(type: CqlType, change: (inner: CqlType) => CqlType): CqlType {
  switch (type.kind) {
    case "native":
      return type
    case "list":
    case "set":
    case "vector":
      return { ...type, element: change(type.element) }
    case "map":
      return { ...type, key: change(type.key), value: change(type.value) }
    case "tuple":
      return { ...type, elements: type.elements.map(change) }
    case "udt":
      return { ...type, fields: type.fields.map((field) => ({ name: field.name, type: change(field.type) })) }
  }
}

/** A type as written, for messages. */
export function typeNodeText(node: TypeNode): string {
  switch (node.kind) {
    case "native":
      return node.name
    case "list":
    case "set":
      return `${node.kind}<${typeNodeText(node.element)}>`
    case "map":
      return `map<${typeNodeText(node.key)}, ${typeNodeText(node.value)}>`
    case "tuple":
      return `tuple<${node.elements.map(typeNodeText).join(", ")}>`
    case "vector":
      return `vector<${typeNodeText(node.element)}, ${node.dimension}>`
    case "frozen":
      return `frozen<${typeNodeText(node.type)}>`
    case "user":
      return (node.keyspace === null ? "" : quoteIdentifier(node.keyspace) + ".") + quoteIdentifier(node.name)
    case "custom":
      return `'${node.className}'`
  }
}
