// Reads of a file whose errors say where in it.
import { DiskError, type ReadFile } from "../../runtime/disk.ts"
import type { Buffer } from "../../runtime/pure.ts"

/** As ReadFile.readNow. */
export function readNowAt(file: ReadFile, into: Buffer, offset: number): number {
  try {
    return file.readNow(into, offset)
  } catch (error) {
    throw error instanceof DiskError ? withOffset(error, offset) : error
  }
}

export function withOffset(error: DiskError, offset: number): DiskError {
  return new DiskError(error.code, error.path, `read at offset ${offset} of`)
}
