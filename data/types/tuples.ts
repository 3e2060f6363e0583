// tuple and user-defined type: [bytes] for each field in order, null as size -1. Fields at the end may be missing: values
// written before a field was added stay valid.
import { Buffer, assert } from "../../runtime/pure.ts"
import { type CqlValue, type TypeOperations, type UdtValue, type ValueComparator, compareEmpty, int32At } from "./operations.ts"

/** A tuple value of serialised fields. */
export function packTuple(fields: readonly (Uint8Array | null)[]): Buffer {
  let size = 0
  for (const field of fields) size += 4 + (field?.length ?? 0)
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const field of fields) {
    at = bytes.writeInt32BE(field === null ? -1 : field.length, at)
    if (field !== null) {
      bytes.set(field, at)
      at += field.length
    }
  }
  return bytes
}

/** The serialised fields of a valid tuple value, as views; missing ones at the end are not in the array. */
export function unpackTuple(bytes: Buffer): (Buffer | null)[] {
  const fields: (Buffer | null)[] = []
  let at = 0
  while (at < bytes.length) {
    const size = bytes.readInt32BE(at)
    at += 4
    fields.push(size < 0 ? null : bytes.subarray(at, at + size))
    if (size > 0) at += size
  }
  return fields
}

/** `describe` names field `index` as the message wants it. */
function validateFields(
  types: readonly TypeOperations[],
  describe: (index: number) => string,
  kind: string,
  bytes: Uint8Array,
  from: number,
  to: number,
): string | null {
  let at = from
  for (const [index, type] of types.entries()) {
    if (at === to) return null
    if (to - at < 4) return `Not enough bytes to read size of ${describe(index)}`
    const size = int32At(bytes, at)
    at += 4
    if (size < 0) continue
    if (to - at < size) return `Not enough bytes to read ${describe(index)}`
    const message = type.validate(bytes, at, at + size)
    if (message !== null) return message
    at += size
  }
  return at === to ? null : `Invalid remaining data after end of ${kind} value`
}

/** True when some field from `at` on is not null. Cassandra counts an empty field at the end as null too. */
function hasField(bytes: Uint8Array, at: number, to: number): boolean {
  for (let next = at; next < to; next += 4) {
    if (int32At(bytes, next) > 0) return true
  }
  return false
}

/** Field by field, null before any value; fields that only one side has count only if they are not null. */
function tupleComparator(types: readonly ValueComparator[]): ValueComparator {
  return (a, aFrom, aTo, b, bFrom, bTo) => {
    const empty = compareEmpty(aFrom, aTo, bFrom, bTo)
    if (empty !== null) return empty
    let aAt = aFrom
    let bAt = bFrom
    for (const compare of types) {
      if (aAt >= aTo || bAt >= bTo) break
      const aSize = int32At(a, aAt)
      const bSize = int32At(b, bAt)
      aAt += 4
      bAt += 4
      if (aSize < 0 || bSize < 0) {
        if (aSize >= 0) return 1
        if (bSize >= 0) return -1
        continue
      }
      const order = compare(a, aAt, aAt + aSize, b, bAt, bAt + bSize)
      if (order !== 0) return order
      aAt += aSize
      bAt += bSize
    }
    return hasField(a, aAt, aTo) ? 1 : hasField(b, bAt, bTo) ? -1 : 0
  }
}

function encodeField(type: TypeOperations, value: CqlValue | null): Buffer | null {
  return value === null ? null : type.encode(value)
}

export function tupleOperations(types: readonly TypeOperations[]): TypeOperations {
  return {
    encode(value) {
      assert(Array.isArray(value) && value.length <= types.length, `an array of at most ${types.length}`)
      return packTuple(value.map((field: CqlValue | null, index) => encodeField(types[index] as TypeOperations, field)))
    },
    decode(bytes) {
      const fields = unpackTuple(bytes)
      return types.map((type, index) => {
        const field = fields[index] ?? null
        return field === null ? null : type.decode(field)
      })
    },
    validate: (bytes, from, to) => validateFields(types, (index) => `${index}th component`, "tuple", bytes, from, to),
    compare: tupleComparator(types.map((type) => type.compare)),
    vectorElementSize: null,
  }
}

export function udtOperations(names: readonly string[], types: readonly TypeOperations[]): TypeOperations {
  return {
    encode(value) {
      assert(typeof value === "object" && !Array.isArray(value), "an object by field name")
      const fields = value as UdtValue
      return packTuple(types.map((type, index) => encodeField(type, fields[names[index] as string] ?? null)))
    },
    decode(bytes) {
      const fields = unpackTuple(bytes)
      const value: Record<string, CqlValue | null> = Object.create(null) as Record<string, CqlValue | null>
      for (const [index, type] of types.entries()) {
        const field = fields[index] ?? null
        value[names[index] as string] = field === null ? null : type.decode(field)
      }
      return value
    },
    validate: (bytes, from, to) => validateFields(types, (index) => `${index}th field ${names[index]}`, "UDT", bytes, from, to),
    compare: tupleComparator(types.map((type) => type.compare)),
    vectorElementSize: null,
  }
}
