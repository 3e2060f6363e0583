// What an assignment or a deletion of a column does to a row: one Operation each, applied to a RowDraft when values are
// bound. Operations on lists by index or by value need the row as it is before the write: the coordinator reads it first.
import { Buffer } from "../../runtime/pure.ts"
import { type CqlType, isMultiCell } from "../../data/cql-type.ts"
import { isCounterType } from "../../data/counters.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { unpackCollection } from "../../data/types/collections.ts"
import { unpackTuple } from "../../data/types/tuples.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Assignment, DeleteTarget } from "../language/ast-dml.ts"
import type { Term } from "../language/ast-terms.ts"
import type { BoundValues } from "../request.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { compileListElementDeletion, compileListSubtraction, compileSetListElement } from "./list-operations.ts"
import { counterOperation } from "./counter-operations.ts"
import { type ListPaths, listPathsOf } from "./list-paths.ts"
import type { RowDraft } from "./row-draft.ts"
import { type CompiledTerm, type TermContext, UNSET, columnReceiver, pseudoReceiver } from "../statements/term.ts"
import { termText } from "../statements/term-text.ts"
import type { Operation } from "./write-operation.ts"
import { findColumn } from "./write-table.ts"

type UdtType = Extract<CqlType, { kind: "udt" }>

const MAX_PATH_SIZE = 0xffff

export function compileAssignment(assignment: Assignment, table: TableSchema, context: TermContext): Operation {
  const column = findColumn(table, assignment.column)
  switch (assignment.kind) {
    case "set":
      return compileSet(column, assignment.value, table, context)
    case "add":
      return compileAdd(column, assignment.value, table, context)
    case "subtract":
      return compileSubtract(column, assignment.value, table, context)
    case "prepend":
      return compilePrepend(column, assignment.value, table, context)
    case "setElement":
      return compileSetElement(column, assignment.key, assignment.value, table, context)
    case "setField":
      return compileSetField(column, assignment.field, assignment.value, table, context)
  }
}

/** `column = value`. */
export function compileSet(column: ColumnSchema, value: Term, table: TableSchema, context: TermContext): Operation {
  return setOperation(column, compileTerm(value, columnReceiver(table, column), context), context)
}

export function setOperation(column: ColumnSchema, term: CompiledTerm, context: TermContext): Operation {
  const { id, type } = column
  if (isCounterType(type)) throw new InvalidRequestError(`Cannot set the value of counter column ${column.name} (counters can only be incremented/decremented, not set)`)
  if (!isMultiCell(type)) return operation(column, term, (row, bytes) => (bytes === null ? row.remove(id, null) : row.put(id, null, bytes)))
  const paths = listPathsOf(context.functions)
  return { column, simple: null, apply: whenSet(term, (row, bytes) => {
    row.clearBefore(id)
    if (bytes !== null) putElements(row, id, type, bytes, paths)
  }) }
}

type Change = (row: RowDraft, bytes: Buffer | null) => void

/** An unset variable changes nothing. */
function whenSet(term: CompiledTerm, change: Change): Operation["apply"] {
  return (row, values) => {
    const bytes = term.value(values)
    if (bytes !== UNSET) change(row, bytes)
  }
}

function operation(column: ColumnSchema, simple: CompiledTerm, change: Change): Operation {
  return { column, simple, apply: whenSet(simple, change) }
}

/** One cell for each element of a whole value. */
function putElements(row: RowDraft, column: number, type: CqlType, bytes: Buffer, paths: ListPaths): void {
  switch (type.kind) {
    case "list":
      for (const element of unpackCollection(bytes)) row.put(column, paths.append(), element)
      return
    case "set":
      for (const element of unpackCollection(bytes)) row.put(column, checkedPath("Set value is too long. Set values are limited", element), EMPTY)
      return
    case "map": {
      const parts = unpackCollection(bytes)
      for (let index = 0; index + 1 < parts.length; index += 2) {
        row.put(column, checkedPath("Map key is too long. Map keys are limited", parts[index] as Buffer), parts[index + 1] as Buffer)
      }
      return
    }
    case "udt":
      unpackTuple(bytes).forEach((field, index) => {
        if (field !== null) row.put(column, fieldPath(index), field)
      })
      return
    default:
      return
  }
}

const EMPTY = Buffer.alloc(0)

function checkedPath(problem: string, path: Buffer): Buffer {
  if (path.length <= MAX_PATH_SIZE) return path
  throw new InvalidRequestError(`${problem} to ${MAX_PATH_SIZE} bytes but ${path.length} bytes value provided`)
}

function fieldPath(index: number): Buffer {
  const path = Buffer.alloc(2)
  path.writeUInt16BE(index)
  return path
}

/** `column = column + value`. */
function compileAdd(column: ColumnSchema, value: Term, table: TableSchema, context: TermContext): Operation {
  const { id, type } = column
  if (isCounterType(type)) return counterOperation(column, compileTerm(value, columnReceiver(table, column), context), 1n)
  requireCollection(column, `${column.name} = ${column.name} + ${termText(value)}`, "counter")
  const term = compileTerm(value, columnReceiver(table, column), context)
  const paths = listPathsOf(context.functions)
  return { column, simple: null, apply: whenSet(term, (row, bytes) => {
    if (bytes !== null) putElements(row, id, type, bytes, paths)
    else if (type.kind === "map" || type.kind === "set") throw new InvalidRequestError(`Invalid null value for column ${column.name}`)
  }) }
}

/** `column = column - value`: elements of a set, keys of a map. */
function compileSubtract(column: ColumnSchema, value: Term, table: TableSchema, context: TermContext): Operation {
  const { id, type } = column
  const text = `${column.name} = ${column.name} - ${termText(value)}`
  if (isCounterType(type)) return counterOperation(column, compileTerm(value, columnReceiver(table, column), context), -1n)
  requireCollection(column, text, "counter")
  const receiver = columnReceiver(table, column)
  if (type.kind === "map" && value.kind !== "set" && value.kind !== "marker" && !isEmptyBraces(value)) {
    throw new InvalidRequestError(`Value for a map substraction has to be a set, but was: '${termText(value)}'`)
  }
  if (type.kind === "list") return compileListSubtraction(column, compileTerm(value, receiver, context))
  const elements = type.kind === "map" ? pseudoReceiver(receiver, receiver.name, { kind: "set", element: type.key, frozen: false }) : receiver
  const term = compileTerm(value, elements, context)
  return { column, simple: null, apply: whenSet(term, (row, bytes) => {
    if (bytes === null) return
    for (const element of unpackCollection(bytes)) row.remove(id, element)
  }) }
}

function isEmptyBraces(value: Term): boolean {
  return value.kind === "map" && value.entries.length === 0
}

/** `column = value + column`, for lists. */
function compilePrepend(column: ColumnSchema, value: Term, table: TableSchema, context: TermContext): Operation {
  // Cassandra writes a minus here.
  const text = `${column.name} = ${termText(value)} - ${column.name}`
  if (column.type.kind !== "list") throw new InvalidRequestError(`Invalid operation (${text}) for non list column ${column.name}`)
  if (!isMultiCell(column.type)) throw new InvalidRequestError(`Invalid operation (${text}) for frozen list column ${column.name}`)
  const term = compileTerm(value, columnReceiver(table, column), context)
  const paths = listPathsOf(context.functions)
  return { column, simple: null, apply: whenSet(term, (row, bytes) => {
    if (bytes === null) return
    // The last element gets its place first: the one before it goes in front of it.
    for (const element of unpackCollection(bytes).reverse()) row.put(column.id, paths.prepend(), element)
  }) }
}

/** `column[key] = value`. */
function compileSetElement(column: ColumnSchema, key: Term, value: Term, table: TableSchema, context: TermContext): Operation {
  const { type } = column
  const text = `${column.name}[${termText(key)}] = ${termText(value)}`
  requireCollection(column, text, "collection")
  if (type.kind === "list") return compileSetListElement(column, key, value, columnReceiver(table, column), context)
  if (type.kind !== "map") throw new InvalidRequestError(`Invalid operation (${text}) for set column ${column.name}`)
  const receiver = columnReceiver(table, column)
  const keyTerm = compileTerm(key, pseudoReceiver(receiver, `key(${column.name})`, type.key), context)
  const term = compileTerm(value, pseudoReceiver(receiver, `value(${column.name})`, type.value), context)
  return { column, simple: null, apply: (row, values) => {
    const path = mapKey(keyTerm, values)
    const bytes = term.value(values)
    if (bytes === UNSET) return
    if (bytes === null) row.remove(column.id, path)
    else row.put(column.id, checkedPath("Map key is too long. Map keys are limited", path), bytes)
  } }
}

function mapKey(term: CompiledTerm, values: BoundValues): Buffer {
  const key = term.value(values)
  if (key === null) throw new InvalidRequestError("Invalid null map key")
  if (key === UNSET) throw new InvalidRequestError("Invalid unset map key")
  return key
}

/** `column.field = value`. */
function compileSetField(column: ColumnSchema, field: string, value: Term, table: TableSchema, context: TermContext): Operation {
  const text = `${column.name}.${field} = ${termText(value)}`
  const { type } = column
  if (type.kind !== "udt") throw new InvalidRequestError(`Invalid operation (${text}) for non-UDT column ${column.name}`)
  if (type.frozen) throw new InvalidRequestError(`Invalid operation (${text}) for frozen UDT column ${column.name}`)
  const index = fieldIndex(column, type, field)
  const fieldType = type.fields[index]?.type as CqlType
  const term = compileTerm(value, pseudoReceiver(columnReceiver(table, column), `${column.name}.${field}`, fieldType), context)
  const path = fieldPath(index)
  return { column, simple: null, apply: whenSet(term, (row, bytes) => (bytes === null ? row.remove(column.id, path) : row.put(column.id, path, bytes))) }
}

function fieldIndex(column: ColumnSchema, type: UdtType, field: string): number {
  const index = type.fields.findIndex(({ name }) => name === field)
  if (index < 0) throw new InvalidRequestError(`UDT column ${column.name} does not have a field named ${field}`)
  return index
}

/** `wanted` is what the column should have been, when it is no collection. */
function requireCollection(column: ColumnSchema, text: string, wanted: "counter" | "collection"): void {
  const { type } = column
  const isCollection = type.kind === "list" || type.kind === "set" || type.kind === "map"
  if (!isCollection && (type.kind === "tuple" || type.kind === "udt") && wanted === "counter") {
    throw new InvalidRequestError(`Invalid operation (${text}) for tuple column ${column.name}`)
  }
  if (!isCollection) throw new InvalidRequestError(`Invalid operation (${text}) for non ${wanted} column ${column.name}`)
  if (!isMultiCell(type)) throw new InvalidRequestError(`Invalid operation (${text}) for frozen collection column ${column.name}`)
}

/** DELETE of a column, an element or a field. */
export function compileDeletion(target: DeleteTarget, table: TableSchema, context: TermContext): Operation {
  const column = findColumn(table, target.column)
  switch (target.kind) {
    case "column":
      return { column, simple: null, apply: (row) => (isMultiCell(column.type) || isCounterType(column.type) ? row.clear(column.id) : row.remove(column.id, null)) }
    case "element":
      return compileElementDeletion(column, target.key, table, context)
    case "field":
      return compileFieldDeletion(column, target.field)
  }
}

function compileElementDeletion(column: ColumnSchema, key: Term, table: TableSchema, context: TermContext): Operation {
  const { type } = column
  if (type.kind !== "list" && type.kind !== "set" && type.kind !== "map") throw new InvalidRequestError(`Invalid deletion operation for non collection column ${column.name}`)
  if (type.frozen) throw new InvalidRequestError(`Invalid deletion operation for frozen collection column ${column.name}`)
  if (type.kind === "list") return compileListElementDeletion(column, key, columnReceiver(table, column), context)
  const receiver = columnReceiver(table, column)
  const part = type.kind === "map" ? pseudoReceiver(receiver, `key(${column.name})`, type.key) : pseudoReceiver(receiver, `value(${column.name})`, type.element)
  const term = compileTerm(key, part, context)
  return { column, simple: null, apply: (row, values) => row.remove(column.id, mapKey(term, values)) }
}

function compileFieldDeletion(column: ColumnSchema, field: string): Operation {
  const { type } = column
  if (type.kind !== "udt") throw new InvalidRequestError(`Invalid field deletion operation for non-UDT column ${column.name}`)
  if (type.frozen) throw new InvalidRequestError(`Frozen UDT column ${column.name} does not support field deletions`)
  const path = fieldPath(fieldIndex(column, type, field))
  return { column, simple: null, apply: (row) => row.remove(column.id, path) }
}
