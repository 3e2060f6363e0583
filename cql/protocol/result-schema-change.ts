// RESULT of kind Schema_change: <change><target><options> (section 4.2.5.5). An EVENT carries the same.
import type { ByteWriter } from "../../data/bytes.ts"
import type { SchemaEvent } from "../request.ts"
import { writeString, writeStringList } from "./primitives.ts"
import { RESULT_KIND } from "./result-kind.ts"
import { hasFunctionTargets } from "./version.ts"

export function encodeSchemaChange(out: ByteWriter, version: number, event: SchemaEvent): void {
  out.int32(RESULT_KIND.schemaChange)
  writeSchemaChange(out, version, event)
}

export function writeSchemaChange(out: ByteWriter, version: number, event: SchemaEvent): void {
  const isFunction = event.target === "FUNCTION" || event.target === "AGGREGATE"
  if (isFunction && !hasFunctionTargets(version)) {
    // v3 cannot name functions: the keyspace has changed.
    writeString(out, "UPDATED")
    writeString(out, "KEYSPACE")
    writeString(out, event.keyspace)
    return
  }
  writeString(out, event.change)
  writeString(out, event.target)
  writeString(out, event.keyspace)
  if (event.target !== "KEYSPACE") writeString(out, event.name)
  if (isFunction) writeStringList(out, event.argumentTypes ?? [])
}
