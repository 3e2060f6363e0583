// Short names for the CQL types that system tables use.
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"

function native(name: NativeTypeName): CqlType {
  return { kind: "native", name }
}

export const BIGINT = native("bigint")
export const BLOB = native("blob")
export const BOOLEAN = native("boolean")
export const DOUBLE = native("double")
export const INET = native("inet")
export const INT = native("int")
export const TEXT = native("text")
export const TIMESTAMP = native("timestamp")
export const TIMEUUID = native("timeuuid")
export const UUID = native("uuid")

export function list(element: CqlType): CqlType {
  return { kind: "list", element, frozen: false }
}
export function set(element: CqlType): CqlType {
  return { kind: "set", element, frozen: false }
}
export function map(key: CqlType, value: CqlType): CqlType {
  return { kind: "map", key, value, frozen: false }
}
export function frozenList(element: CqlType): CqlType {
  return { kind: "list", element, frozen: true }
}
export function frozenSet(element: CqlType): CqlType {
  return { kind: "set", element, frozen: true }
}
export function frozenMap(key: CqlType, value: CqlType): CqlType {
  return { kind: "map", key, value, frozen: true }
}
export function tuple(...elements: CqlType[]): CqlType {
  return { kind: "tuple", elements }
}
