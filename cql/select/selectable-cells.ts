// writetime(), maxwritetime() and ttl(): what the cells of a column say beside their values. A collection or user type
// that is not frozen has many cells: then the result is a list, or the latest time.
import { Buffer, assert } from "../../runtime/pure.ts"
import { type CqlType, isMultiCell } from "../../data/cql-type.ts"
import { CELL_KIND, type Cell } from "../../data/row.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { compareInt64 } from "../../data/timestamp.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import type { CellAttributeNode, Term } from "../language/ast-terms.ts"
import { fieldIndex, sortByPath } from "./select-collections.ts"
import type { Expression, Scope } from "./select-expression.ts"
import { columnNamed } from "./select-restriction.ts"
import { termText } from "../statements/term-text.ts"

/** Where the columns and terms of a selection get their places. */
export interface TermCompiler {
  slotOf(column: ColumnSchema): number
  /** Compiles a term for a type; returns its index in the scope's terms. */
  term(term: Term, type: CqlType, name: string): number
}

export function cellAttributeExpression(table: TableSchema, node: CellAttributeNode, compiler: TermCompiler): Expression {
  const { attribute, operand } = node
  const source = operand.kind === "element" || operand.kind === "field" || operand.kind === "slice" ? operand.operand : operand
  if (source.kind !== "column") throw new InvalidRequestError(`Cannot use selection function ${attribute} on something that is not a column`)
  const column = columnNamed(table, source.name)
  if (column.kind === "partition_key" || column.kind === "clustering") {
    throw new InvalidRequestError(`Cannot use selection function ${attribute} on PRIMARY KEY part ${column.name}`)
  }
  const slot = compiler.slotOf(column)
  if (operand.kind === "column") return attributeOfColumn(attribute, column, slot)
  if (!isMultiCell(column.type)) return { ...attributeOfColumn(attribute, column, slot), name: `${attribute}(${column.name})` }
  if (operand.kind === "field") {
    const type = column.type
    const index = type.kind === "udt" ? type.fields.findIndex((field) => field.name === operand.field) : -1
    if (index < 0) throw new InvalidRequestError(`${column.name} has no field ${operand.field}`)
    return single(attribute, `${attribute}(${column.name}.${operand.field})`, slot, (cell) => fieldIndex(cell) === index)
  }
  if (operand.kind === "element") {
    const keyType = column.type.kind === "map" ? column.type.key : column.type.kind === "set" ? column.type.element : null
    if (keyType === null) throw new InvalidRequestError(`Element selection is only allowed on sets and maps, but ${column.name} is neither`)
    const compare = compareValues(keyType)
    const index = compiler.term(operand.key, keyType, `key(${column.name})`)
    const matches = (cell: Cell, scope: Scope): boolean => {
      const wanted = scope.terms[index] ?? null
      const path = cell.path as Uint8Array
      return wanted !== null && compare(path, 0, path.length, wanted, 0, wanted.length) === 0
    }
    return single(attribute, `${attribute}(${column.name}[${termText(operand.key)}])`, slot, matches)
  }
  throw new InvalidRequestError(`Cannot use selection function ${attribute} on a slice`)
}

type Attribute = CellAttributeNode["attribute"]

function attributeOfColumn(attribute: Attribute, column: ColumnSchema, slot: number): Expression {
  const name = `${attribute}(${column.name})`
  if (!isMultiCell(column.type)) return single(attribute, name, slot, () => true)
  if (attribute === "maxwritetime") {
    return { type: nativeType("bigint"), name, evaluate: (scope) => latest(scope.row.cells(slot)) }
  }
  const type: CqlType = { kind: "list", element: attributeType(attribute), frozen: false }
  return { type, name, evaluate: (scope) => attributeList(attribute, column.type, scope.row.cells(slot), scope.nowSeconds) }
}

function single(attribute: Attribute, name: string, slot: number, matches: (cell: Cell, scope: Scope) => boolean): Expression {
  const evaluate = (scope: Scope): Buffer | null => {
    const cells = scope.row.cells(slot).filter((candidate) => matches(candidate, scope))
    // Only a counter has several: its shards.
    if (cells.length > 1 && attribute !== "ttl") return latest(cells)
    const [cell] = cells
    return cell === undefined ? null : attributeOf(attribute, cell, scope.nowSeconds)
  }
  return { type: attributeType(attribute), name, evaluate }
}

function attributeType(attribute: Attribute): CqlType {
  return nativeType(attribute === "ttl" ? "int" : "bigint")
}

function attributeOf(attribute: Attribute, cell: Cell, nowSeconds: number): Buffer | null {
  if (attribute !== "ttl") {
    const out = Buffer.allocUnsafe(8)
    out.writeInt32BE(cell.timestampHigh, 0)
    out.writeUInt32BE(cell.timestampLow, 4)
    return out
  }
  if (cell.kind !== CELL_KIND.expiring) return null
  const out = Buffer.allocUnsafe(4)
  out.writeInt32BE(cell.expiresAt - nowSeconds, 0)
  return out
}

function latest(cells: readonly Cell[]): Buffer | null {
  let best: Cell | null = null
  for (const cell of cells) {
    if (best === null || compareInt64(cell.timestampHigh, cell.timestampLow, best.timestampHigh, best.timestampLow) > 0) best = cell
  }
  return best === null ? null : attributeOf("maxwritetime", best, 0)
}

/** A list in the order of the collection's elements; a user type's fields all have their place. */
function attributeList(attribute: Attribute, type: CqlType, cells: readonly Cell[], nowSeconds: number): Buffer | null {
  if (cells.length === 0) return null
  const values = inOrder(type, cells).map((cell) => (cell === null ? null : attributeOf(attribute, cell, nowSeconds)))
  const parts: Buffer[] = []
  const header = Buffer.alloc(4)
  header.writeInt32BE(values.length)
  parts.push(header)
  for (const value of values) {
    const size = Buffer.alloc(4)
    size.writeInt32BE(value === null ? -1 : value.length)
    parts.push(size)
    if (value !== null) parts.push(value)
  }
  return Buffer.concat(parts)
}

function inOrder(type: CqlType, cells: readonly Cell[]): readonly (Cell | null)[] {
  switch (type.kind) {
    case "list":
      return sortByPath(nativeType("timeuuid"), cells)
    case "set":
      return sortByPath(type.element, cells)
    case "map":
      return sortByPath(type.key, cells)
    case "udt":
      return type.fields.map((_field, index) => cells.find((cell) => fieldIndex(cell) === index) ?? null)
    default:
      assert(false, `${type.kind} has one cell`)
  }
}
