// Finds what a type of the tree can do. Objects are kept per type node: trees are frozen and live as long as their schema.
import type { Buffer } from "../../runtime/pure.ts"
import { CorruptionError } from "../bytes.ts"
import type { CqlType, NativeTypeName } from "../cql-type.ts"
import { listOperations, mapOperations, setOperations } from "./collections.ts"
import { DECIMAL, DOUBLE, FLOAT } from "./floats.ts"
import { INET } from "./inet.ts"
import { BIGINT, COUNTER, INT, SMALLINT, TINYINT, VARINT } from "./integers.ts"
import type { CqlValue, TypeOperations, ValueComparator } from "./operations.ts"
import { ASCII, BLOB, BOOLEAN, TEXT } from "./texts.ts"
import { DATE, DURATION, TIME, TIMESTAMP } from "./times.ts"
import { tupleOperations, udtOperations } from "./tuples.ts"
import { TIMEUUID, UUID } from "./uuids.ts"
import { vectorOperations } from "./vector.ts"

const NATIVE: Readonly<Record<NativeTypeName, TypeOperations>> = {
  ascii: ASCII, bigint: BIGINT, blob: BLOB, boolean: BOOLEAN, counter: COUNTER, date: DATE, decimal: DECIMAL, double: DOUBLE,
  duration: DURATION, float: FLOAT, inet: INET, int: INT, smallint: SMALLINT, text: TEXT, time: TIME, timestamp: TIMESTAMP,
  timeuuid: TIMEUUID, tinyint: TINYINT, uuid: UUID, varint: VARINT,
}

const known = new WeakMap<CqlType, TypeOperations>()

/** Cheap, but kept by whoever needs it for each value. */
export function operationsOf(type: CqlType): TypeOperations {
  if (type.kind === "native") return NATIVE[type.name]
  let operations = known.get(type)
  if (operations === undefined) {
    operations = buildOperations(type)
    known.set(type, operations)
  }
  return operations
}

function buildOperations(type: Exclude<CqlType, { kind: "native" }>): TypeOperations {
  switch (type.kind) {
    case "list":
      return listOperations(operationsOf(type.element))
    case "set":
      return setOperations(operationsOf(type.element))
    case "map":
      return mapOperations(operationsOf(type.key), operationsOf(type.value))
    case "tuple":
      return tupleOperations(type.elements.map(operationsOf))
    case "udt":
      return udtOperations(type.fields.map((field) => field.name), type.fields.map((field) => operationsOf(field.type)))
    case "vector":
      return vectorOperations(operationsOf(type.element), type.dimension)
  }
}

/** Null when the bytes are a value of the type, else what is wrong in Cassandra's words. */
export function validate(type: CqlType, bytes: Uint8Array): string | null {
  return operationsOf(type).validate(bytes, 0, bytes.length)
}

export function compareValues(type: CqlType): ValueComparator {
  return operationsOf(type).compare
}

export function encodeValue(type: CqlType, value: CqlValue): Buffer {
  return operationsOf(type).encode(value)
}

/** Throws CorruptionError. */
export function decodeValue(type: CqlType, bytes: Buffer): CqlValue | null {
  const message = validate(type, bytes)
  if (message !== null) throw new CorruptionError(message, 0)
  return operationsOf(type).decode(bytes)
}
