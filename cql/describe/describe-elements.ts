// The elements of a schema that DESCRIBE lists and prints, in its order.
import type { AggregateDescriptor, FunctionDescriptor, IndexSchema, KeyspaceSchema, TableSchema, TypeDescriptor } from "../../data/schema.ts"
import { assert } from "../../runtime/pure.ts"
import { quoteIdentifier } from "../../data/types/type-name.ts"
import { createAggregateText, createFunctionText, functionName } from "./create-text-functions.ts"
import { createIndexText } from "./create-text-indexes.ts"
import { createKeyspaceText, createTypeText } from "./create-text-keyspaces.ts"
import { createTableText, createViewText } from "./create-text-tables.ts"
import { referencesUserType } from "../schema/types.ts"

export interface SchemaElement {
  readonly keyspace: string
  readonly type: "keyspace" | "type" | "function" | "aggregate" | "table" | "index" | "materialized_view"
  /** As CQL writes it. */
  readonly name: string
  text(withInternals: boolean): string
}

/** Sorted as Cassandra lists: without regard to case. */
export function byName<T extends { readonly name: string }>(items: Iterable<T>): T[] {
  const folded = (item: T): string => item.name.toLowerCase()
  return [...items].sort((a, b) => (folded(a) < folded(b) || (folded(a) === folded(b) && a.name < b.name) ? -1 : 1))
}

export function keyspaceElement(keyspace: KeyspaceSchema): SchemaElement {
  return { keyspace: keyspace.name, type: "keyspace", name: quoteIdentifier(keyspace.name), text: () => createKeyspaceText(keyspace) }
}

export function typeElement(keyspace: KeyspaceSchema, type: TypeDescriptor): SchemaElement {
  return { keyspace: keyspace.name, type: "type", name: quoteIdentifier(type.name), text: () => createTypeText(keyspace.name, type) }
}

export function functionElement(keyspace: KeyspaceSchema, descriptor: FunctionDescriptor): SchemaElement {
  return { keyspace: keyspace.name, type: "function", name: functionName(descriptor), text: () => createFunctionText(keyspace.name, descriptor) }
}

export function aggregateElement(keyspace: KeyspaceSchema, descriptor: AggregateDescriptor): SchemaElement {
  return { keyspace: keyspace.name, type: "aggregate", name: functionName(descriptor), text: () => createAggregateText(keyspace.name, descriptor) }
}

export function tableElement(keyspace: KeyspaceSchema, table: TableSchema): SchemaElement {
  if (table.view === null) {
    return { keyspace: keyspace.name, type: "table", name: quoteIdentifier(table.name), text: (withInternals) => createTableText(keyspace, table, withInternals) }
  }
  const { baseTable } = table.view
  const base = [...keyspace.tables.values()].find((each) => each.id === baseTable)
  assert(base !== undefined, `view ${table.name} has a base table`)
  return { keyspace: keyspace.name, type: "materialized_view", name: quoteIdentifier(table.name), text: (withInternals) => createViewText(base, table, withInternals) }
}

export function indexElement(table: TableSchema, index: IndexSchema): SchemaElement {
  return { keyspace: table.keyspace, type: "index", name: quoteIdentifier(index.name), text: () => createIndexText(table, index) }
}

/** The table, its indexes and its views; a view alone. */
export function tableElements(keyspace: KeyspaceSchema, table: TableSchema): SchemaElement[] {
  const indexes = byName(table.indexes).map((index) => indexElement(table, index))
  return [tableElement(keyspace, table), ...indexes, ...byName(table.views).map((each) => tableElement(keyspace, each))]
}

export function tablesOf(keyspace: KeyspaceSchema): TableSchema[] {
  return byName([...keyspace.tables.values()].filter((table) => table.view === null))
}

/** The keyspace, its types (each after those it is made of), functions and aggregates, and each table with its views. */
export function keyspaceElements(keyspace: KeyspaceSchema): SchemaElement[] {
  return [
    keyspaceElement(keyspace),
    ...typesInOrder(keyspace).map((type) => typeElement(keyspace, type)),
    ...byName(keyspace.functions).map((each) => functionElement(keyspace, each)),
    ...byName(keyspace.aggregates).map((each) => aggregateElement(keyspace, each)),
    ...tablesOf(keyspace).flatMap((table) => tableElements(keyspace, table)),
  ]
}

function typesInOrder(keyspace: KeyspaceSchema): TypeDescriptor[] {
  const ordered: TypeDescriptor[] = []
  const left = new Map(byName(keyspace.types.values()).map((type) => [type.name, type]))
  const add = (type: TypeDescriptor): void => {
    if (!left.delete(type.name)) return
    for (const other of left.values()) {
      if (type.fields.some((field) => referencesUserType(field.type, keyspace.name, other.name))) add(other)
    }
    ordered.push(type)
  }
  for (const type of left.values()) add(type)
  return ordered
}
