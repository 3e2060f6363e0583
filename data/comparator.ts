// The order of clusterings: one comparator per table, put together from the orders of its clustering columns.
//
// 1. A clustering is protocol [bytes] per column (row-format.ts); prefixes are shorter. Components are compared in order;
//    where one side has no more components the two are equal (a prefix covers all that begin with it).
// 2. A reversed (DESC) column compares the other way round.
// 3. One int, bigint, text or timeuuid column, which nearly every table has, gets a comparator of its own without the
//    loop over columns; the rest share one.
//
// REQUIRES of all of them: the bytes are valid clusterings of the table.
import type { ColumnSchema } from "./schema.ts"
import { compareInt64Bytes } from "./types/integers.ts"
import { type ValueComparator, compareBytes, int32At } from "./types/operations.ts"
import { compareValues } from "./types/type-operations.ts"

/** Compares two encoded clusterings or prefixes: bytes `[from, to)` of each. */
export type ClusteringComparator = ValueComparator

export function clusteringComparator(columns: readonly Pick<ColumnSchema, "type" | "reversed">[]): ClusteringComparator {
  const [only] = columns
  if (only === undefined) return () => 0
  if (columns.length === 1) return singleComparator(only)
  const compares = columns.map((column) => compareValues(column.type))
  const reversed = columns.map((column) => column.reversed)
  const last = columns.length
  return (a, aFrom, aTo, b, bFrom, bTo) => {
    let aAt = aFrom
    let bAt = bFrom
    for (let index = 0; index < last && aAt < aTo && bAt < bTo; index++) {
      const aEnd = aAt + 4 + int32At(a, aAt)
      const bEnd = bAt + 4 + int32At(b, bAt)
      const order = (compares[index] as ValueComparator)(a, aAt + 4, aEnd, b, bAt + 4, bEnd)
      if (order !== 0) return reversed[index] === true ? -order : order
      aAt = aEnd
      bAt = bEnd
    }
    return 0
  }
}

function singleComparator(column: Pick<ColumnSchema, "type" | "reversed">): ClusteringComparator {
  const compare = singleAscending(column)
  return column.reversed ? (a, aFrom, aTo, b, bFrom, bTo) => -compare(a, aFrom, aTo, b, bFrom, bTo) : compare
}

function singleAscending(column: Pick<ColumnSchema, "type">): ClusteringComparator {
  const { type } = column
  if (type.kind === "native") {
    if (type.name === "int") return compareInt
    if (type.name === "bigint" || type.name === "timestamp") return compareLong
    if (type.name === "text" || type.name === "ascii" || type.name === "blob") return compareText
  }
  const compare = compareValues(type)
  return (a, aFrom, aTo, b, bFrom, bTo) => (aFrom === aTo || bFrom === bTo ? 0 : compare(a, aFrom + 4, aTo, b, bFrom + 4, bTo))
}

/** One int: 8 bytes, or 4 when the int is the empty value. */
function compareInt(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  if (aTo - aFrom === 8 && bTo - bFrom === 8) {
    const x = int32At(a, aFrom + 4)
    const y = int32At(b, bFrom + 4)
    return x < y ? -1 : x > y ? 1 : 0
  }
  // An empty prefix equals anything; the empty value comes before all others.
  return aFrom === aTo || bFrom === bTo ? 0 : aTo - aFrom - (bTo - bFrom)
}

function compareLong(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  return aFrom === aTo || bFrom === bTo ? 0 : compareInt64Bytes(a, aFrom + 4, aTo, b, bFrom + 4, bTo)
}

function compareText(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  return aFrom === aTo || bFrom === bTo ? 0 : compareBytes(a, aFrom + 4, aTo, b, bFrom + 4, bTo)
}

/** How many components an encoded clustering or prefix has. */
export function componentCount(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  for (let at = from; at < to; count++) at += 4 + int32At(bytes, at)
  return count
}
