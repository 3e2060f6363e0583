// list, set and map as whole values: { i32 count, then for each element [bytes] (for a map: key, value) }. Sets are sorted
// and without duplicates, maps sorted by key; encode sees to it, and reading trusts it, as Cassandra does.
import { Buffer, assert } from "../../runtime/pure.ts"
import { type CqlValue, type TypeOperations, type ValueComparator, compareEmpty, int32At } from "./operations.ts"

/** A collection value of serialised elements (for a map: key, value, key, value, ...). */
export function packCollection(count: number, parts: readonly Uint8Array[]): Buffer {
  let size = 4
  for (const part of parts) size += 4 + part.length
  const bytes = Buffer.allocUnsafe(size)
  let at = bytes.writeInt32BE(count, 0)
  for (const part of parts) {
    at = bytes.writeInt32BE(part.length, at)
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** The serialised elements of a valid collection value, as views (for a map: key, value, key, value, ...). */
export function unpackCollection(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = []
  let at = 4
  while (at < bytes.length) {
    const size = bytes.readInt32BE(at)
    parts.push(bytes.subarray(at + 4, at + 4 + size))
    at += 4 + size
  }
  return parts
}

/** Validates a collection whose elements go round `types` (one for a list or set, two for a map). */
function validateCollection(kind: string, types: readonly TypeOperations[], bytes: Uint8Array, from: number, to: number): string | null {
  const short = `Not enough bytes to read a ${kind}`
  if (to - from < 4) return short
  const count = int32At(bytes, from)
  if (count < 0) return `The data cannot be deserialized as a ${kind}`
  let at = from + 4
  for (let element = 0; element < count; element++) {
    for (const type of types) {
      if (to - at < 4) return short
      const size = int32At(bytes, at)
      if (size < 0) return kind === "list" ? "null is not supported inside collections" : "Null value read when not allowed"
      if (to - at - 4 < size) return short
      const message = type.validate(bytes, at + 4, at + 4 + size)
      if (message !== null) return message
      at += 4 + size
    }
  }
  return at === to ? null : `Unexpected extraneous bytes after ${kind} value`
}

/** Element by element, then by count. */
function collectionComparator(types: readonly ValueComparator[]): ValueComparator {
  return (a, aFrom, aTo, b, bFrom, bTo) => {
    const empty = compareEmpty(aFrom, aTo, bFrom, bTo)
    if (empty !== null) return empty
    let aAt = aFrom + 4
    let bAt = bFrom + 4
    while (aAt < aTo && bAt < bTo) {
      for (const compare of types) {
        const aEnd = aAt + 4 + int32At(a, aAt)
        const bEnd = bAt + 4 + int32At(b, bAt)
        const order = compare(a, aAt + 4, aEnd, b, bAt + 4, bEnd)
        if (order !== 0) return order
        aAt = aEnd
        bAt = bEnd
      }
    }
    return int32At(a, aFrom) - int32At(b, bFrom)
  }
}

function toArray(value: CqlValue): readonly CqlValue[] {
  assert(Array.isArray(value) && value.every((element) => element !== null), "an array without nulls")
  return value as readonly CqlValue[]
}

export function listOperations(element: TypeOperations): TypeOperations {
  return {
    encode(value) {
      const elements = toArray(value).map((item) => element.encode(item))
      return packCollection(elements.length, elements)
    },
    decode: (bytes) => unpackCollection(bytes).map((part) => element.decode(part)),
    validate: (bytes, from, to) => validateCollection("list", [element], bytes, from, to),
    compare: collectionComparator([element.compare]),
    vectorElementSize: null,
  }
}

/** Sorts serialised elements and drops duplicates. */
export function sortedElements(elements: readonly Buffer[], compare: ValueComparator): Buffer[] {
  const sorted = elements.toSorted((a, b) => compare(a, 0, a.length, b, 0, b.length))
  return sorted.filter((item, index) => {
    const previous = sorted[index - 1]
    return previous === undefined || compare(previous, 0, previous.length, item, 0, item.length) !== 0
  })
}

export function setOperations(element: TypeOperations): TypeOperations {
  return {
    encode(value) {
      const elements = sortedElements(toArray(value).map((item) => element.encode(item)), element.compare)
      return packCollection(elements.length, elements)
    },
    decode: (bytes) => unpackCollection(bytes).map((part) => element.decode(part)),
    validate: (bytes, from, to) => validateCollection("set", [element], bytes, from, to),
    compare: collectionComparator([element.compare]),
    vectorElementSize: null,
  }
}

export function mapOperations(key: TypeOperations, value: TypeOperations): TypeOperations {
  return {
    encode(map) {
      assert(map instanceof Map, "a Map")
      const entries = [...(map as ReadonlyMap<CqlValue, CqlValue>)].map(([k, v]) => [key.encode(k), value.encode(v)] as const)
      entries.sort(([a], [b]) => key.compare(a, 0, a.length, b, 0, b.length))
      return packCollection(entries.length, entries.flat())
    },
    decode(bytes) {
      const parts = unpackCollection(bytes)
      const map = new Map<CqlValue, CqlValue>()
      for (let index = 0; index + 1 < parts.length; index += 2) {
        map.set(key.decode(parts[index] as Buffer) as CqlValue, value.decode(parts[index + 1] as Buffer) as CqlValue)
      }
      return map
    },
    // Unlike a list or set, a map may be no bytes at all.
    validate: (bytes, from, to) => (from === to ? null : validateCollection("map", [key, value], bytes, from, to)),
    compare: collectionComparator([key.compare, value.compare]),
    vectorElementSize: null,
  }
}
