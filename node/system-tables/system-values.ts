// Serialises the JavaScript values that system tables are filled with. Only the types these tables use; a mismatch is a bug.
import type { CqlType } from "../../data/cql-type.ts"
import { Buffer, assert } from "../../runtime/pure.ts"

/** Text, uuid, inet: string. Integers, doubles, timestamps (ms): number. Lists and sets: arrays. Maps with text keys: objects. Blobs: bytes. */
export type SystemValue = string | number | boolean | Uint8Array | readonly SystemValue[] | { readonly [key: string]: SystemValue } | null | undefined

/** A value of a frozen or simple type, without length. */
export function encodeValue(type: CqlType, value: SystemValue): Buffer {
  switch (type.kind) {
    case "native":
      return encodeNative(type.name, value)
    case "list": {
      assert(Array.isArray(value), "a list is an array")
      return encodeCollection(value.length, value.map((element) => encodeValue(type.element, element)))
    }
    case "set": {
      assert(Array.isArray(value), "a set is an array")
      return encodeCollection(value.length, sortedElements(type.element, value))
    }
    case "map": {
      const entries = sortedEntries(type.key, type.value, value)
      return encodeCollection(entries.length, entries.flatMap(({ path, value: content }) => [path, content]))
    }
    case "tuple":
    case "udt":
    case "vector":
      assert(false, `no system table is filled with values of kind ${type.kind}`)
  }
}

export interface EncodedElement {
  readonly path: Buffer
  readonly value: Buffer
}

/** The cells of a set or map that is not frozen, in path order. */
export function encodeElements(type: CqlType, value: SystemValue): readonly EncodedElement[] {
  if (type.kind === "map") return sortedEntries(type.key, type.value, value)
  assert(type.kind === "set" && Array.isArray(value), "a set is an array")
  return sortedElements(type.element, value).map((path) => ({ path, value: Buffer.alloc(0) }))
}

// Text, uuids and small positive integers order like their bytes, and nothing else is put into a set or map here.
function sortedElements(type: CqlType, values: readonly SystemValue[]): Buffer[] {
  return values.map((element) => encodeValue(type, element)).sort(Buffer.compare)
}

function sortedEntries(keyType: CqlType, valueType: CqlType, value: SystemValue): EncodedElement[] {
  assert(typeof value === "object" && value !== null && !Array.isArray(value), "a map is an object")
  return Object.entries(value)
    .map(([key, content]) => ({ path: encodeValue(keyType, key), value: encodeValue(valueType, content) }))
    .sort((a, b) => Buffer.compare(a.path, b.path))
}

function encodeCollection(count: number, parts: readonly Buffer[]): Buffer {
  const out = Buffer.allocUnsafe(4 + parts.reduce((sum, part) => sum + 4 + part.length, 0))
  let at = out.writeInt32BE(count, 0)
  for (const part of parts) {
    at = out.writeInt32BE(part.length, at)
    at += part.copy(out, at)
  }
  return out
}

function encodeNative(name: string, value: SystemValue): Buffer {
  switch (name) {
    case "text":
      assert(typeof value === "string", "text is a string")
      return Buffer.from(value, "utf8")
    case "blob":
      assert(value instanceof Uint8Array, "a blob is bytes")
      return Buffer.from(value)
    case "uuid":
    case "timeuuid":
      assert(typeof value === "string", "a uuid is a string")
      return Buffer.from(value.replaceAll("-", ""), "hex")
    case "inet":
      assert(typeof value === "string", "an address is a string")
      return encodeAddress(value)
    case "boolean":
      assert(typeof value === "boolean", "a boolean is a boolean")
      return Buffer.from([value ? 1 : 0])
    default:
      assert(typeof value === "number", `a ${name} is a number`)
      return encodeNumber(name, value)
  }
}

function encodeNumber(name: string, value: number): Buffer {
  if (name === "int") {
    const out = Buffer.allocUnsafe(4)
    out.writeInt32BE(value)
    return out
  }
  const out = Buffer.allocUnsafe(8)
  if (name === "double") {
    out.writeDoubleBE(value)
  } else {
    assert(name === "bigint" || name === "timestamp", `system tables have no ${name}`)
    out.writeBigInt64BE(BigInt(value))
  }
  return out
}

/** The 4 or 16 bytes of an IP address. */
export function encodeAddress(address: string): Buffer {
  if (!address.includes(":")) return Buffer.from(address.split(".").map(Number))
  const [head = "", tail] = (address.split("%")[0] as string).split("::")
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  const middle = new Array<number>(8 - front.length - back.length).fill(0)
  const out = Buffer.allocUnsafe(16)
  ;[...front, ...middle, ...back].forEach((group, index) => out.writeUInt16BE(group, 2 * index))
  return out
}

function groups(text: string): number[] {
  if (text === "") return []
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}
