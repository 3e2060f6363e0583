// [option]: a CQL type as result metadata carry it (section 4.2.5.2). Types that a version has no id for travel as
// custom types, by the name of the Java class that real drivers know them by.
import type { ByteWriter } from "../../data/bytes.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { writeString } from "./primitives.ts"
import { hasDurationType, hasSmallTypes } from "./version.ts"

const CUSTOM = 0x00
const LIST = 0x20
const MAP = 0x21
const SET = 0x22
const UDT = 0x30
const TUPLE = 0x31

const NATIVE: Record<NativeTypeName, number> = {
  ascii: 0x01, bigint: 0x02, blob: 0x03, boolean: 0x04, counter: 0x05, decimal: 0x06, double: 0x07, float: 0x08, int: 0x09,
  timestamp: 0x0b, uuid: 0x0c, text: 0x0d, varint: 0x0e, timeuuid: 0x0f, inet: 0x10, date: 0x11, time: 0x12, smallint: 0x13,
  tinyint: 0x14, duration: 0x15,
}
const CLASS_PREFIX = "org.apache.cassandra.db.marshal."
const NATIVE_CLASS: Record<NativeTypeName, string> = {
  ascii: "AsciiType", bigint: "LongType", blob: "BytesType", boolean: "BooleanType", counter: "CounterColumnType",
  decimal: "DecimalType", double: "DoubleType", float: "FloatType", int: "Int32Type", timestamp: "TimestampType", uuid: "UUIDType",
  text: "UTF8Type", varint: "IntegerType", timeuuid: "TimeUUIDType", inet: "InetAddressType", date: "SimpleDateType", time: "TimeType",
  smallint: "ShortType", tinyint: "ByteType", duration: "DurationType",
}

export function writeTypeOption(out: ByteWriter, type: CqlType, version: number): void {
  switch (type.kind) {
    case "native":
      if (isKnownTo(version, type.name)) out.uint16(NATIVE[type.name])
      else writeCustom(out, type)
      return
    case "list":
    case "set":
      out.uint16(type.kind === "list" ? LIST : SET)
      writeTypeOption(out, type.element, version)
      return
    case "map":
      out.uint16(MAP)
      writeTypeOption(out, type.key, version)
      writeTypeOption(out, type.value, version)
      return
    case "tuple":
      out.uint16(TUPLE)
      out.uint16(type.elements.length)
      for (const element of type.elements) writeTypeOption(out, element, version)
      return
    case "udt":
      out.uint16(UDT)
      writeString(out, type.keyspace)
      writeString(out, type.name)
      out.uint16(type.fields.length)
      for (const field of type.fields) {
        writeString(out, field.name)
        writeTypeOption(out, field.type, version)
      }
      return
    case "vector":
      writeCustom(out, type)
      return
  }
}

function isKnownTo(version: number, name: NativeTypeName): boolean {
  switch (name) {
    case "date":
    case "time":
    case "smallint":
    case "tinyint":
      return hasSmallTypes(version)
    case "duration":
      return hasDurationType(version)
    default:
      return true
  }
}

function writeCustom(out: ByteWriter, type: CqlType): void {
  out.uint16(CUSTOM)
  writeString(out, className(type))
}

function className(type: CqlType): string {
  switch (type.kind) {
    case "native":
      return CLASS_PREFIX + NATIVE_CLASS[type.name]
    case "list":
      return frozen(type.frozen, `ListType(${className(type.element)})`)
    case "set":
      return frozen(type.frozen, `SetType(${className(type.element)})`)
    case "map":
      return frozen(type.frozen, `MapType(${className(type.key)},${className(type.value)})`)
    case "tuple":
      return CLASS_PREFIX + `TupleType(${type.elements.map(className).join(",")})`
    case "udt": {
      const fields = type.fields.map((field) => hex(field.name) + ":" + className(field.type))
      return frozen(type.frozen, `UserType(${[type.keyspace, hex(type.name), ...fields].join(",")})`)
    }
    case "vector":
      // The blanks are Cassandra's.
      return CLASS_PREFIX + `VectorType(${className(type.element)} , ${type.dimension})`
  }
}

function frozen(isFrozen: boolean, name: string): string {
  return isFrozen ? `${CLASS_PREFIX}FrozenType(${CLASS_PREFIX}${name})` : CLASS_PREFIX + name
}

function hex(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("")
}
