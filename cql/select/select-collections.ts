// Puts the cells of a collection or user type that is not frozen together to the value that clients get.
import { Buffer, assert } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import type { Cell } from "../../data/row.ts"
import { packCollection } from "../../data/types/collections.ts"
import { packTuple } from "../../data/types/tuples.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { compareValues } from "../../data/types/type-operations.ts"

/** `cells` are live, of one column and not empty. A new buffer. */
export function assembleCollection(type: CqlType, cells: readonly Cell[]): Buffer {
  switch (type.kind) {
    case "list":
      return packCollection(cells.length, sortByPath(nativeType("timeuuid"), cells).map((cell) => cell.value as Uint8Array))
    case "set":
      return packCollection(cells.length, sortByPath(type.element, cells).map((cell) => cell.path as Uint8Array))
    case "map":
      return packCollection(cells.length, sortByPath(type.key, cells).flatMap((cell) => [cell.path as Uint8Array, cell.value as Uint8Array]))
    case "udt": {
      const fields = type.fields.map((): Uint8Array | null => null)
      for (const cell of cells) fields[fieldIndex(cell)] = cell.value
      return packTuple(fields)
    }
    default:
      assert(false, `${type.kind} is stored as one cell`)
  }
}

/** Cells are stored in the order of their paths' bytes; clients get them in the order of the type. */
export function sortByPath(type: CqlType, cells: readonly Cell[]): readonly Cell[] {
  if (cells.length === 1) return cells
  const compare = compareValues(type)
  return cells.toSorted((a, b) => {
    const x = a.path as Uint8Array
    const y = b.path as Uint8Array
    return compare(x, 0, x.length, y, 0, y.length)
  })
}

/** The index of the field that a cell of a user type holds. */
export function fieldIndex(cell: Cell): number {
  return Buffer.from(cell.path as Uint8Array).readUInt16BE(0)
}
