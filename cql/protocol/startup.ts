// STARTUP: <options>, a [string map]. Cassandra takes the keys in any case.
import { ProtocolError } from "../errors.ts"
import type { FrameCompression } from "./compression.ts"
import type { BodyReader } from "./primitives.ts"
import { hasSegments } from "./version.ts"

export interface Startup {
  /** Keys in upper case. */
  readonly options: ReadonlyMap<string, string>
  readonly compression: FrameCompression | null
}

const OLDEST_CQL_MAJOR = 3

/** `version`: of the protocol. Throws ProtocolError. */
export function decodeStartup(body: BodyReader, version: number): Startup {
  const options = new Map<string, string>()
  for (const [key, value] of body.stringMap()) options.set(key.toUpperCase(), value)
  const cqlVersion = options.get("CQL_VERSION")
  if (cqlVersion === undefined) throw new ProtocolError("Missing value CQL_VERSION in STARTUP message")
  checkCqlVersion(cqlVersion)
  return { options, compression: compressionOf(options.get("COMPRESSION"), version) }
}

function checkCqlVersion(text: string): void {
  const match = /^(\d+)\.(\d+)/.exec(text)
  if (match === null) throw new ProtocolError("Invalid version value: " + text)
  const major = Number(match[1])
  // 2.99 was the name of CQL 3 before it was released.
  if (major < OLDEST_CQL_MAJOR && !(major === 2 && Number(match[2]) >= 99)) {
    throw new ProtocolError(`CQL version ${text} is not supported by the binary protocol (supported version are >= 3.0.0)`)
  }
}

function compressionOf(name: string | undefined, version: number): FrameCompression | null {
  if (name === undefined || name === "") return null
  const algorithm = name.toLowerCase()
  if (algorithm === "lz4") return "lz4"
  if (algorithm === "snappy") {
    if (hasSegments(version)) throw new ProtocolError("Snappy compression is not supported in protocol V5")
    return "snappy"
  }
  throw new ProtocolError("Unknown compression algorithm: " + algorithm)
}
