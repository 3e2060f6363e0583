// Types and values as they come over the wire, as text: `map<int, text>` and `{1: 'a'}`.
import { nativeText } from "../../cql/functions/value-text.ts"
import { readString } from "../../cql/protocol/testing.ts"
import type { ByteReader } from "../../data/bytes.ts"
import type { NativeTypeName } from "../../data/cql-type.ts"
import { unpackCollection } from "../../data/types/collections.ts"
import { unpackTuple } from "../../data/types/tuples.ts"
import { validate } from "../../data/types/type-operations.ts"
import type { Buffer } from "../../runtime/pure.ts"

/** What the protocol tells of a type: nothing of frozen, and a class name for those it has no number for. */
export type WireType =
  | { readonly kind: "native"; readonly name: NativeTypeName }
  | { readonly kind: "custom"; readonly name: string }
  | { readonly kind: "list" | "set"; readonly element: WireType }
  | { readonly kind: "map"; readonly key: WireType; readonly value: WireType }
  | { readonly kind: "tuple"; readonly elements: readonly WireType[] }
  | { readonly kind: "udt"; readonly name: string; readonly fields: readonly { readonly name: string; readonly type: WireType }[] }

const NATIVE: Readonly<Record<number, NativeTypeName>> = {
  0x01: "ascii", 0x02: "bigint", 0x03: "blob", 0x04: "boolean", 0x05: "counter", 0x06: "decimal", 0x07: "double", 0x08: "float", 0x09: "int",
  0x0b: "timestamp", 0x0c: "uuid", 0x0d: "text", 0x0e: "varint", 0x0f: "timeuuid", 0x10: "inet", 0x11: "date", 0x12: "time", 0x13: "smallint",
  0x14: "tinyint", 0x15: "duration",
}
const QUOTED: readonly NativeTypeName[] = ["ascii", "text", "date", "inet", "time", "timestamp"]

export function readWireType(reader: ByteReader): WireType {
  const id = reader.uint16("type")
  const name = NATIVE[id]
  if (name !== undefined) return { kind: "native", name }
  switch (id) {
    case 0x00:
      return { kind: "custom", name: readString(reader) }
    case 0x20:
      return { kind: "list", element: readWireType(reader) }
    case 0x21:
      return { kind: "map", key: readWireType(reader), value: readWireType(reader) }
    case 0x22:
      return { kind: "set", element: readWireType(reader) }
    case 0x30: {
      const typeName = `${readString(reader)}.${readString(reader)}`
      return { kind: "udt", name: typeName, fields: Array.from({ length: reader.uint16("count") }, () => ({ name: readString(reader), type: readWireType(reader) })) }
    }
    case 0x31:
      return { kind: "tuple", elements: Array.from({ length: reader.uint16("count") }, () => readWireType(reader)) }
    default:
      throw new Error(`type ${id}`)
  }
}

export function wireTypeText(type: WireType): string {
  switch (type.kind) {
    case "native":
      return type.name
    case "custom":
      return `'${type.name}'`
    case "list":
    case "set":
      return `${type.kind}<${wireTypeText(type.element)}>`
    case "map":
      return `map<${wireTypeText(type.key)}, ${wireTypeText(type.value)}>`
    case "tuple":
      return `tuple<${type.elements.map(wireTypeText).join(", ")}>`
    case "udt":
      return `${type.name}(${type.fields.map((field) => `${field.name} ${wireTypeText(field.type)}`).join(", ")})`
  }
}

/** `null`, `empty` for the value of no bytes of a type that has no such literal, else much like a literal; what cannot be read as hex. */
export function wireValueText(type: WireType, bytes: Buffer | null): string {
  if (bytes === null) return "null"
  try {
    return valueText(type, bytes)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return `${hex(bytes)} (no ${wireTypeText(type)})`
  }
}

function valueText(type: WireType, bytes: Buffer): string {
  if (type.kind === "native") return nativeValueText(type.name, bytes)
  if (type.kind === "custom") return hex(bytes)
  if (bytes.length === 0) return "empty"
  switch (type.kind) {
    case "list":
      return `[${unpackCollection(bytes).map((element) => wireValueText(type.element, element)).join(", ")}]`
    case "set":
      return `{${unpackCollection(bytes).map((element) => wireValueText(type.element, element)).join(", ")}}`
    case "map": {
      const parts = unpackCollection(bytes)
      const entries: string[] = []
      for (let at = 0; at < parts.length; at += 2) entries.push(`${wireValueText(type.key, parts[at] as Buffer)}: ${wireValueText(type.value, parts[at + 1] as Buffer)}`)
      return `{${entries.join(", ")}}`
    }
    case "tuple":
      return `(${unpackTuple(bytes).map((element, index) => wireValueText(type.elements[index] as WireType, element)).join(", ")})`
    case "udt":
      return `{${unpackTuple(bytes).map((element, index) => `${type.fields[index]?.name}: ${wireValueText(type.fields[index]?.type as WireType, element)}`).join(", ")}}`
  }
}

function nativeValueText(name: NativeTypeName, bytes: Buffer): string {
  if (name === "blob") return hex(bytes)
  if (bytes.length === 0) return name === "text" || name === "ascii" ? "''" : "empty"
  const problem = validate({ kind: "native", name }, bytes)
  if (problem !== null) return `${hex(bytes)} (${problem})`
  const text = nativeText(name, bytes) ?? "empty"
  return QUOTED.includes(name) ? `'${text.replaceAll("'", "''")}'` : text
}

function hex(bytes: Buffer): string {
  return "0x" + bytes.toString("hex")
}
