// PREPARE: <query>, a [long string]; in v5 <query><flags>[<keyspace>].
import type { BodyReader } from "./primitives.ts"
import { hasRequestKeyspace } from "./version.ts"

const KEYSPACE_FLAG = 0x01

/** Throws ProtocolError. */
export function decodePrepare(body: BodyReader, version: number): { readonly text: string; readonly keyspace: string | null } {
  const text = body.longString()
  if (!hasRequestKeyspace(version)) return { text, keyspace: null }
  const flags = body.int("the prepare flags")
  return { text, keyspace: (flags & KEYSPACE_FLAG) === 0 ? null : body.string() }
}
