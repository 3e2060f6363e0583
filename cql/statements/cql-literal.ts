// A serialised value as a CQL literal that reads back as the same value: what INITCOND is shown as.
import type { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { unpackCollection } from "../../data/types/collections.ts"
import { unpackTuple } from "../../data/types/tuples.ts"
import { operationsOf } from "../../data/types/type-operations.ts"
import { quoteIdentifier } from "../../data/types/type-name.ts"
import { nativeText } from "../functions/value-text.ts"
import { quoteString } from "./term-text.ts"

/** Types whose literals are strings. */
const QUOTED: ReadonlySet<string> = new Set(["ascii", "date", "inet", "text", "time", "timestamp"])

export function cqlLiteral(type: CqlType, bytes: Buffer | null): string {
  if (bytes === null) return "null"
  switch (type.kind) {
    case "native": {
      const text = nativeText(type.name, bytes)
      return text === null ? "null" : QUOTED.has(type.name) ? quoteString(text) : text
    }
    case "list":
      return `[${unpackCollection(bytes).map((element) => cqlLiteral(type.element, element)).join(", ")}]`
    case "set":
      return `{${unpackCollection(bytes).map((element) => cqlLiteral(type.element, element)).join(", ")}}`
    case "map": {
      const parts = unpackCollection(bytes)
      const entries = Array.from({ length: parts.length / 2 }, (_, index) => `${cqlLiteral(type.key, parts[2 * index] as Buffer)}: ${cqlLiteral(type.value, parts[2 * index + 1] as Buffer)}`)
      return `{${entries.join(", ")}}`
    }
    case "tuple":
      return `(${unpackTuple(bytes).map((element, index) => cqlLiteral(type.elements[index] as CqlType, element)).join(", ")})`
    case "udt": {
      const fields = unpackTuple(bytes)
      return `{${type.fields.map((field, index) => `${quoteIdentifier(field.name)}: ${cqlLiteral(field.type, fields[index] ?? null)}`).join(", ")}}`
    }
    case "vector": {
      const elements = operationsOf(type).decode(bytes) as readonly Parameters<ReturnType<typeof operationsOf>["encode"]>[0][]
      return `[${elements.map((element) => cqlLiteral(type.element, operationsOf(type.element).encode(element))).join(", ")}]`
    }
  }
}
