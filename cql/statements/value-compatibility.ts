// Which types' values may be read as values of another type: what lets an ascii stand where a text is wanted.
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import type { Assignable } from "./literals.ts"

const READABLE_AS: Readonly<Partial<Record<NativeTypeName, readonly NativeTypeName[]>>> = {
  text: ["ascii"],
  uuid: ["timeuuid"],
  bigint: ["timestamp"],
  timestamp: ["bigint"],
  time: ["bigint"],
  date: ["int"],
  varint: ["int", "bigint"],
}

/** Can a value of type `from` be assigned to `to`? Being frozen makes no difference. */
export function testType(from: CqlType, to: CqlType): Assignable {
  if (typeName(withoutFrozen(from)) === typeName(withoutFrozen(to))) return "exact"
  if (to.kind !== "native") return "none"
  if (to.name === "blob") return "weak"
  return from.kind === "native" && (READABLE_AS[to.name] ?? []).includes(from.name) ? "weak" : "none"
}

function withoutFrozen(type: CqlType): CqlType {
  return type.kind === "list" || type.kind === "set" || type.kind === "map" || type.kind === "udt" ? { ...type, frozen: false } : type
}
