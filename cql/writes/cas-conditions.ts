// The IF clause of INSERT, UPDATE and DELETE: compiled once, bound per request, tested against the row as it is.
//
// A null is a value here: `IF c = null` holds when there is none. Collections and user types that are not frozen compare as
// whole values, and no element is the same as null.
import { type Buffer, assert } from "../../runtime/pure.ts"
import { type CqlType, isMultiCell } from "../../data/cql-type.ts"
import { isCounterColumn, isCounterTable } from "../../data/counters.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { packCollection, unpackCollection } from "../../data/types/collections.ts"
import { unpackTuple } from "../../data/types/tuples.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import type { ComparisonOperator, Condition, InValues } from "../language/ast-relations.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import { compileTerm } from "../statements/compile-term.ts"
import type { ExistingRow } from "./existing-rows.ts"
import { referencesDuration } from "../schema/types.ts"
import { type CompiledTerm, type TermContext, UNSET, columnReceiver, pseudoReceiver } from "../statements/term.ts"
import { findColumn, isKeyColumn } from "./write-table.ts"

type RowTest = (row: ExistingRow | null) => boolean

export interface ColumnCondition {
  readonly column: ColumnSchema
  /** Throws InvalidRequestError. The values must stay as they are while the test is used. */
  bind(values: BoundValues): RowTest
}

export type Conditions =
  | { readonly kind: "exists" }
  | { readonly kind: "notExists" }
  /** In the order written. */
  | { readonly kind: "columns"; readonly regulars: readonly ColumnCondition[]; readonly statics: readonly ColumnCondition[] }

type Operator = ComparisonOperator | "IN" | "CONTAINS" | "CONTAINS KEY"

/** Null: the statement has no IF. */
export function compileConditions(
  table: TableSchema, ifExists: boolean, conditions: readonly Condition[], hasTimestamp: boolean, context: TermContext,
): Conditions | null {
  if (!ifExists && conditions.length === 0) return null
  if (ifExists) {
    checkConditional(table, hasTimestamp)
    return { kind: "exists" }
  }
  refuseTimestamp(hasTimestamp)
  const compiled = conditions.map((condition) => compileCondition(condition, table, context))
  checkConditional(table, hasTimestamp)
  return {
    kind: "columns",
    regulars: compiled.filter(({ column }) => column.kind !== "static"),
    statics: compiled.filter(({ column }) => column.kind === "static"),
  }
}

export function checkConditional(table: TableSchema, hasTimestamp: boolean): void {
  if (isCounterTable(table)) throw new InvalidRequestError("Conditional updates are not supported on counter tables")
  refuseTimestamp(hasTimestamp)
}

function refuseTimestamp(hasTimestamp: boolean): void {
  if (hasTimestamp) throw new InvalidRequestError("Cannot provide custom timestamp for conditional updates")
}

/** Whether the conditions, and all that the statement writes, are about static columns. */
export function onlyStaticConditions(conditions: Conditions | null): boolean {
  return conditions === null || conditions.kind !== "columns" || conditions.regulars.length === 0
}

function compileCondition(condition: Condition, table: TableSchema, context: TermContext): ColumnCondition {
  const column = findColumn(table, condition.column)
  if (isCounterColumn(column)) throw new InvalidRequestError("Conditions on counters are not supported")
  const operator: Operator = condition.kind === "comparison" ? condition.operator : condition.kind === "in" ? "IN" : condition.key ? "CONTAINS KEY" : "CONTAINS"
  const source = compileSource(condition, column, table, context)
  if (condition.kind === "comparison") refuseDurations(source.type, condition.operator)
  const receiver = condition.kind === "contains" ? containsReceiver(column, condition.key, source.receiver) : source.receiver
  const operands = condition.kind === "in" ? compileInValues(condition.values, column, receiver, context) : compileValue(condition.value, receiver, context)
  if (isKeyColumn(column)) throw new InvalidRequestError(`PRIMARY KEY column '${column.name}' cannot have IF conditions`)
  const bind = (values: BoundValues): RowTest => {
    const valueOf = source.bind(values)
    const wanted = operands(values)
    return (row) => {
      const value = valueOf(row)
      return wanted.some((operand) => holds(operator === "IN" ? "=" : operator, source.type, value, operand))
    }
  }
  return { column, bind }
}

/** Where a condition's left side comes from. */
interface Source {
  readonly type: CqlType
  readonly receiver: ColumnSpecification
  bind(values: BoundValues): (row: ExistingRow | null) => Buffer | null
}

function compileSource(condition: Condition, column: ColumnSchema, table: TableSchema, context: TermContext): Source {
  const receiver = columnReceiver(table, column)
  const { target } = condition
  switch (target.kind) {
    case "column":
      return { type: column.type, receiver, bind: () => (row) => row?.value(column) ?? null }
    case "element":
      return elementSource(column, (name, type) => pseudoReceiver(receiver, name, type), (element) => compileTerm(target.key, element, context))
    case "field":
      return fieldSource(column, target.field, receiver)
  }
}

function elementSource(
  column: ColumnSchema, receive: (name: string, type: CqlType) => ColumnSpecification, compileKey: (receiver: ColumnSpecification) => CompiledTerm,
): Source {
  const { type } = column
  if (type.kind === "set") throw new InvalidRequestError(`Invalid element access syntax for set column ${column.name}`)
  if (type.kind !== "list" && type.kind !== "map") throw new InvalidRequestError(`Invalid element access syntax for non-collection column ${column.name}`)
  const keyType = type.kind === "list" ? nativeType("int") : type.key
  const term = compileKey(receive(`${type.kind === "list" ? "idx" : "key"}(${column.name})`, keyType))
  const compare = compareValues(keyType)
  const bind: Source["bind"] = (values) => {
    const key = term.value(values)
    if (key === null) throw new InvalidRequestError(`Invalid null value for ${type.kind} element access`)
    if (key === UNSET) throw new InvalidRequestError(`Invalid unset value for ${type.kind} element access`)
    if (type.kind === "list") {
      const index = key.readInt32BE(0)
      if (index < 0) throw new InvalidRequestError(`Invalid negative list index ${index}`)
      return (row) => elements(row?.value(column) ?? null)[index] ?? null
    }
    return (row) => {
      const parts = elements(row?.value(column) ?? null)
      for (let at = 0; at + 1 < parts.length; at += 2) {
        const part = parts[at] as Buffer
        if (compare(part, 0, part.length, key, 0, key.length) === 0) return parts[at + 1] as Buffer
      }
      return null
    }
  }
  const elementType = type.kind === "list" ? type.element : type.value
  return { type: elementType, receiver: receive(`value(${column.name})`, elementType), bind }
}

function elements(value: Buffer | null): Buffer[] {
  return value === null ? [] : unpackCollection(value)
}

function fieldSource(column: ColumnSchema, field: string, receiver: ColumnSpecification): Source {
  const { type } = column
  if (type.kind !== "udt") throw new InvalidRequestError(`Invalid field access syntax for non-UDT column ${column.name}`)
  const index = type.fields.findIndex(({ name }) => name === field)
  const found = type.fields[index]
  if (found === undefined) throw new InvalidRequestError(`Unknown field ${field} for column ${column.name}`)
  const bind: Source["bind"] = () => (row) => {
    const value = row?.value(column) ?? null
    return value === null ? null : (unpackTuple(value)[index] ?? null)
  }
  return { type: found.type, receiver: pseudoReceiver(receiver, `${column.name}.${field}`, found.type), bind }
}

function containsReceiver(column: ColumnSchema, isKey: boolean, receiver: ColumnSpecification): ColumnSpecification {
  const { type } = column
  if (isKey) {
    if (type.kind !== "map") throw new InvalidRequestError(`Cannot use CONTAINS KEY on non-map column ${column.name}`)
    return pseudoReceiver(receiver, `key(${column.name})`, type.key)
  }
  if (type.kind !== "list" && type.kind !== "set" && type.kind !== "map") throw new InvalidRequestError(`Cannot use CONTAINS on non-collection column ${column.name}`)
  return pseudoReceiver(receiver, `value(${column.name})`, type.kind === "map" ? type.value : type.element)
}

function refuseDurations(type: CqlType, operator: ComparisonOperator): void {
  if (operator === "=" || operator === "!=" || !referencesDuration(type)) return
  if (type.kind === "list" || type.kind === "set" || type.kind === "map") throw new InvalidRequestError("Slice conditions are not supported on collections containing durations")
  if (type.kind === "tuple") throw new InvalidRequestError("Slice conditions are not supported on tuples containing durations")
  if (type.kind === "udt") throw new InvalidRequestError("Slice conditions are not supported on UDTs containing durations")
  throw new InvalidRequestError(`Slice conditions ( ${operator} ) are not supported on durations`)
}

type Operands = (values: BoundValues) => readonly (Buffer | null)[]

function compileValue(value: Parameters<typeof compileTerm>[0], receiver: ColumnSpecification, context: TermContext): Operands {
  const term = compileTerm(value, receiver, context)
  return (values) => {
    const bytes = term.value(values)
    if (bytes === UNSET) throw new InvalidRequestError("Invalid 'unset' value in condition")
    return [bytes]
  }
}

/** Unset members of a list are left out. */
function compileInValues(given: InValues, column: ColumnSchema, receiver: ColumnSpecification, context: TermContext): Operands {
  if (given.kind === "values") {
    const terms = given.values.map((value) => compileTerm(value, receiver, context))
    return (values) => terms.map((term) => term.value(values)).filter((bytes) => bytes !== UNSET)
  }
  const list = pseudoReceiver(receiver, `in(${column.name})`, { kind: "list", element: receiver.type, frozen: false })
  const term = compileTerm(given.marker, list, context)
  return (values) => {
    const bytes = term.value(values)
    if (bytes === null) throw new InvalidRequestError("Invalid null list in IN condition")
    if (bytes === UNSET) throw new InvalidRequestError("Invalid 'unset' value in condition")
    return unpackCollection(bytes)
  }
}

function holds(operator: Exclude<Operator, "IN">, type: CqlType, value: Buffer | null, operand: Buffer | null): boolean {
  if (operand === null) {
    if (operator === "=") return value === null
    if (operator === "!=") return value !== null
    throw new InvalidRequestError(`Invalid comparison with null for operator "${operator}"`)
  }
  if (operator === "CONTAINS" || operator === "CONTAINS KEY") return contains(type, value, operand, operator === "CONTAINS KEY")
  // A collection that is not frozen has no null: without elements it is empty.
  const left = value ?? (isMultiCell(type) && type.kind !== "udt" ? packCollection(0, []) : null)
  if (left === null) return operator === "!="
  const order = compareValues(type)(left, 0, left.length, operand, 0, operand.length)
  switch (operator) {
    case "=":
      return order === 0
    case "!=":
      return order !== 0
    case "<":
      return order < 0
    case "<=":
      return order <= 0
    case ">":
      return order > 0
    case ">=":
      return order >= 0
  }
}

function contains(type: CqlType, value: Buffer | null, operand: Buffer, isKey: boolean): boolean {
  assert(type.kind === "list" || type.kind === "set" || type.kind === "map", "a collection")
  const elementType = type.kind !== "map" ? type.element : isKey ? type.key : type.value
  const compare = compareValues(elementType)
  const parts = elements(value)
  const [from, step] = type.kind !== "map" ? [0, 1] : [isKey ? 0 : 1, 2]
  for (let at = from; at < parts.length; at += step) {
    const part = parts[at] as Buffer
    if (compare(part, 0, part.length, operand, 0, operand.length) === 0) return true
  }
  return false
}
