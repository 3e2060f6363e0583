// OPTIONS has no body; SUPPORTED answers it: a [string multimap] of what this server speaks.
import type { ByteWriter } from "../../data/bytes.ts"
import { writeString, writeStringList } from "./primitives.ts"
import { versionNames } from "./version.ts"

/** `cqlVersion`: "3.4.7". Snappy is offered, as Cassandra does, but refused in v5. */
export function encodeSupported(out: ByteWriter, cqlVersion: string): void {
  // Clients read COMPRESSION without asking whether it is there.
  out.uint16(3)
  writeString(out, "PROTOCOL_VERSIONS")
  writeStringList(out, versionNames())
  writeString(out, "COMPRESSION")
  writeStringList(out, ["snappy", "lz4"])
  writeString(out, "CQL_VERSION")
  writeStringList(out, [cqlVersion])
}
