// A RESULT begins with an [int] that says what follows (section 4.2.5).
import { type ByteWriter, writeInt32 } from "../../data/bytes.ts"
import { writeString } from "./primitives.ts"

export const RESULT_KIND = { void: 1, rows: 2, setKeyspace: 3, prepared: 4, schemaChange: 5 } as const

/** Nothing to tell. */
export function encodeVoid(out: ByteWriter): void {
  const at = out.grow(4)
  writeInt32(out.buffer, at, RESULT_KIND.void)
}

/** The answer to USE. */
export function encodeSetKeyspace(out: ByteWriter, keyspace: string): void {
  out.int32(RESULT_KIND.setKeyspace)
  writeString(out, keyspace)
}
