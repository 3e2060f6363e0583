// Short names for the CQL types that system tables use.
import type { CqlType } from "../../data/cql-type.ts"
import { nativeType } from "../../data/types/type-name.ts"

export const BIGINT = nativeType("bigint")
export const BLOB = nativeType("blob")
export const BOOLEAN = nativeType("boolean")
export const DOUBLE = nativeType("double")
export const FLOAT = nativeType("float")
export const INET = nativeType("inet")
export const INT = nativeType("int")
export const SMALLINT = nativeType("smallint")
export const TEXT = nativeType("text")
export const TIMESTAMP = nativeType("timestamp")
export const TIMEUUID = nativeType("timeuuid")
export const UUID = nativeType("uuid")

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
