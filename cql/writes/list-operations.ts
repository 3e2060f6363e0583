// The operations on lists that start from the list as it is: setting and deleting an element by its index, and removing
// values. The elements' cells are found by reading, and only their paths are written.
import { Buffer } from "../../runtime/pure.ts"
import type { Cell } from "../../data/row.ts"
import type { ColumnSchema } from "../../data/schema.ts"
import { unpackCollection } from "../../data/types/collections.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Term } from "../language/ast-terms.ts"
import type { ColumnSpecification } from "../metadata.ts"
import { compileTerm } from "../statements/compile-term.ts"
import type { ExistingRow } from "./existing-rows.ts"
import { type CompiledTerm, type TermContext, UNSET, pseudoReceiver } from "../statements/term.ts"
import type { Operation } from "./write-operation.ts"

/** `list[index] = value`. */
export function compileSetListElement(column: ColumnSchema, index: Term, value: Term, receiver: ColumnSpecification, context: TermContext): Operation {
  const { type } = column
  if (type.kind !== "list") throw new TypeError("a list")
  const at = compileIndex(column, index, receiver, context)
  const term = compileTerm(value, pseudoReceiver(receiver, `value(${column.name})`, type.element), context)
  return { column, simple: null, needsRead: true, apply: (row, values, existing) => {
    const position = at.value(values)
    const bytes = term.value(values)
    if (position === null) throw new InvalidRequestError("Invalid null value for list index")
    if (position === UNSET) throw new InvalidRequestError("Invalid unset value for list index")
    const path = pathAt(existing, column, position, "Attempted to set an element on a list which is null")
    if (bytes === null) row.remove(column.id, path)
    else if (bytes !== UNSET) row.put(column.id, path, bytes)
  } }
}

/** `DELETE list[index]`. */
export function compileListElementDeletion(column: ColumnSchema, index: Term, receiver: ColumnSpecification, context: TermContext): Operation {
  const at = compileIndex(column, index, receiver, context)
  return { column, simple: null, needsRead: true, apply: (row, values, existing) => {
    const position = at.value(values)
    if (position === null) throw new InvalidRequestError("Invalid null value for list index")
    if (position === UNSET) return
    row.remove(column.id, pathAt(existing, column, position, "Attempted to delete an element from a list which is null"))
  } }
}

/** `list = list - values`. */
export function compileListSubtraction(column: ColumnSchema, term: CompiledTerm): Operation {
  return { column, simple: null, needsRead: true, apply: (row, values, existing) => {
    const bytes = term.value(values)
    if (bytes === null || bytes === UNSET || existing === null) return
    const removed = new Set(unpackCollection(bytes).map((element) => element.toString("latin1")))
    for (const { path, value } of existing.cells(column)) {
      if (removed.has(Buffer.from(value as Uint8Array).toString("latin1"))) row.remove(column.id, path)
    }
  } }
}

function compileIndex(column: ColumnSchema, index: Term, receiver: ColumnSpecification, context: TermContext): CompiledTerm {
  return compileTerm(index, pseudoReceiver(receiver, `idx(${column.name})`, nativeType("int")), context)
}

function pathAt(existing: ExistingRow | null, column: ColumnSchema, position: Buffer, missing: string): Uint8Array {
  const cells = existing?.cells(column) ?? []
  if (cells.length === 0) throw new InvalidRequestError(missing)
  const index = position.readInt32BE(0)
  const cell: Cell | undefined = cells[index]
  if (cell === undefined) throw new InvalidRequestError(`List index ${index} out of bound, list has size ${cells.length}`)
  return cell.path as Uint8Array
}
