// Maps and vectors of serialised elements.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { packCollection } from "../../data/types/collections.ts"
import { compareValues, operationsOf } from "../../data/types/type-operations.ts"
import { writeUnsignedVint } from "../../data/types/vint.ts"

/** The elements one behind the other, each with its size in front unless all are of one size. */
export function packVector(element: CqlType, parts: readonly Buffer[]): Buffer {
  if (operationsOf(element).vectorElementSize !== null) return Buffer.concat(parts)
  return Buffer.concat(parts.flatMap((part) => [writeUnsignedVint(BigInt(part.length)), part]))
}

/** Sorted by key; of equal keys the last wins. */
export function packMap(keys: readonly Buffer[], items: readonly Buffer[], keyType: CqlType): Buffer {
  const compare = compareValues(keyType)
  const order = keys.map((_key, index) => index)
  const compareAt = (a: number, b: number): number => {
    const x = keys[a] as Buffer
    const y = keys[b] as Buffer
    return compare(x, 0, x.length, y, 0, y.length)
  }
  order.sort((a, b) => compareAt(a, b) || b - a)
  const kept = order.filter((index, rank) => rank === 0 || compareAt(order[rank - 1] as number, index) !== 0)
  return packCollection(kept.length, kept.flatMap((index) => [keys[index] as Buffer, items[index] as Buffer]))
}
