// Reads the obligations of one log segment while the store runs: for an owner that did not keep them all in memory. A piece at a
// time, so that requests go on. REQUIRES: the segment is held.
import { Buffer } from "../../runtime/pure.ts"
import type { Clock } from "../../runtime/clock.ts"
import type { Disk } from "../../runtime/disk.ts"
import { CorruptionError } from "../../data/bytes.ts"
import { SEGMENT_HEADER_BYTES, chunkEnd, decodeSegmentHeader, findChunk } from "./commit-log-format.ts"
import { replayChunk } from "./commit-log-replay.ts"
import { CorruptFileError } from "../errors.ts"

const READ_AT_ONCE = 1 << 20

/** Calls `visit` for each, in order; the bytes are its own. What follows damage counts as well. Throws CorruptFileError, DiskError. */
export async function readObligations(disk: Disk, clock: Clock, path: string, segment: number, visit: (bytes: Buffer) => void): Promise<void> {
  const bytes = await readSlowly(disk, clock, path)
  const visitor = { mutation: () => undefined, obligation: (found: Buffer) => visit(Buffer.from(found)), chunkEnds: () => undefined }
  try {
    const header = decodeSegmentHeader(bytes, segment)
    const generation = header?.generation ?? null
    let paused = 0
    for (let at = header === null ? findChunk(bytes, 0, segment, null) : SEGMENT_HEADER_BYTES; at >= 0 && at < bytes.length; ) {
      const next = chunkEnd(bytes, at, segment, generation)
      if (next === 0) {
        at = findChunk(bytes, at, segment, generation)
        continue
      }
      replayChunk(bytes, at, next, segment, visitor)
      at = next
      if (at - paused < READ_AT_ONCE) continue
      paused = at
      await clock.sleep(0)
    }
  } catch (error) {
    throw error instanceof CorruptionError ? CorruptFileError.from(path, error) : error
  }
}

async function readSlowly(disk: Disk, clock: Clock, path: string): Promise<Buffer> {
  const file = disk.readFile(path)
  try {
    const bytes = Buffer.allocUnsafeSlow(file.size)
    let length = 0
    while (length < bytes.length) {
      const count = file.readNow(bytes.subarray(length, length + READ_AT_ONCE), length)
      if (count === 0) break
      length += count
      await clock.sleep(0)
    }
    return bytes.subarray(0, length)
  } finally {
    file.close()
  }
}
