// What storage refuses, as typed errors. Corrupt bytes are CorruptionError (data/bytes.ts) wrapped with the file's name.
import type { CorruptionError } from "../data/bytes.ts"
import type { LogPosition } from "../data/local-store.ts"
import type { TableId } from "../data/schema.ts"

/** A mutation, a read or a file names a table that this store has not been told of. */
export class UnknownTableError extends Error {
  override readonly name = "UnknownTableError"
  readonly table: TableId
  constructor(table: TableId, where: string) {
    super(`unknown table ${table} in ${where}`)
    this.table = table
  }
}

/** The data directory does not belong to this node, or was written by a newer version. */
export class DataDirectoryError extends Error {
  override readonly name = "DataDirectoryError"
  readonly reason: "in_use" | "newer_format" | "older_format" | "other_host" | "other_cluster" | "damaged"
  constructor(reason: DataDirectoryError["reason"], message: string) {
    super(message)
    this.reason = reason
  }
}

/** A file is not what it was when it was written. Nothing is repaired: the file stays as it is for a person to look at. */
export class CorruptFileError extends Error {
  override readonly name = "CorruptFileError"
  readonly path: string
  readonly offset: number
  constructor(path: string, offset: number, what: string) {
    super(`${path} at offset ${offset}: ${what}`)
    this.path = path
    this.offset = offset
  }
  static from(path: string, error: CorruptionError, base = 0): CorruptFileError {
    return new CorruptFileError(path, base + error.offset, error.message.replace(/^at offset \d+: /, ""))
  }
}

/** The commit log could not be written or synced. From then on nothing is acknowledged until the node restarts. */
export class CommitLogError extends Error {
  override readonly name = "CommitLogError"
  readonly position: LogPosition
  constructor(position: LogPosition, cause: Error) {
    super(`commit log failed in segment ${position.segment} at offset ${position.offset}: ${cause.message}`, { cause })
    this.position = position
  }
}

/** The disk has no room for what was to be written. Nothing of it is kept; later writes may succeed. */
export class DiskFullError extends Error {
  override readonly name = "DiskFullError"
  readonly path: string
  constructor(cause: Error & { readonly path: string }) {
    super(`no space left on the disk: ${cause.message}`, { cause })
    this.path = cause.path
  }
}

/** A mutation that does not fit into half a commit log segment. */
export class MutationTooLargeError extends Error {
  override readonly name = "MutationTooLargeError"
  readonly size: number
  readonly limit: number
  constructor(size: number, limit: number) {
    super(`Mutation of ${size} bytes is too large for the maximum size of ${limit}`)
    this.size = size
    this.limit = limit
  }
}
