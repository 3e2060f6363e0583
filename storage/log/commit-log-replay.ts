// Hands out every record of the commit log at start, in order. REQUIRES: commit-log-scan.ts has found it whole and cut it.
import { type Buffer, type Maybe, isPromise } from "../../runtime/pure.ts"
import type { Disk } from "../../runtime/disk.ts"
import { ByteReader, CorruptionError } from "../../data/bytes.ts"
import type { LogPosition } from "../../data/local-store.ts"
import { CHUNK_HEADER_BYTES, RECORD_HEADER_BYTES, RECORD_KIND, SEGMENT_HEADER_BYTES, chunkEnd, findChunk, uncheckedChunkEnd } from "./commit-log-format.ts"
import { LogReader, type ScannedLog, type ScannedSegment } from "./commit-log-scan.ts"
import { CorruptFileError } from "../errors.ts"

/** Bytes are views and valid during the call only; mutations say their own size. */
export interface RecordVisitor {
  mutation(bytes: Buffer, at: number, position: LogPosition): void
  obligation(bytes: Buffer, position: LogPosition): void
  /** Everything before `end` has been handed out. A promise: there is no room for more until it resolves. */
  chunkEnds(end: LogPosition): Maybe<void>
}

/** Throws CorruptFileError, and what the visitor throws. */
export async function replayCommitLog(disk: Disk, log: ScannedLog, visitor: RecordVisitor): Promise<void> {
  const reader = new LogReader(disk)
  for (const segment of log.segments) {
    const bytes = reader.read(segment.path)
    try {
      await replaySegment(bytes, segment, visitor)
    } catch (error) {
      throw error instanceof CorruptionError ? CorruptFileError.from(segment.path, error) : error
    }
  }
}

async function replaySegment(bytes: Buffer, segment: ScannedSegment, visitor: RecordVisitor): Promise<void> {
  const { id, generation, isDamaged } = segment
  const end = isDamaged ? bytes.length : segment.end
  let at = generation === null ? findChunk(bytes, 0, id, null) : SEGMENT_HEADER_BYTES
  while (at >= 0 && at < end) {
    const next = isDamaged ? chunkEnd(bytes, at, id, generation) : uncheckedChunkEnd(bytes, at, id, generation)
    if (next === 0) {
      if (!isDamaged) throw new CorruptFileError(segment.path, at, "expected the commit log chunk that was just there")
      at = findChunk(bytes, at, id, generation)
      continue
    }
    replayChunk(bytes, at, next, id, visitor)
    at = next
    const waiting = visitor.chunkEnds({ segment: id, offset: at })
    if (isPromise(waiting)) await waiting
  }
}

/** Hands out the records of the chunk bytes[chunk, end). */
export function replayChunk(bytes: Buffer, chunk: number, end: number, segment: number, visitor: Omit<RecordVisitor, "chunkEnds">): void {
  const position = { segment, offset: chunk }
  const reader = new ByteReader(bytes, chunk + CHUNK_HEADER_BYTES, end)
  while (reader.remaining > 0) {
    const at = reader.at
    const size = reader.uint32("record size")
    const kind = reader.uint8("record kind")
    if (kind !== RECORD_KIND.mutation) reader.fail(`a record kind, found ${kind}`)
    const entries = reader.uint8("entries") * 0x10000 + reader.uint16("entries")
    const obligations = reader.uint32("obligations")
    if (size < RECORD_HEADER_BYTES || size > end - at) reader.fail(`a record size, found ${size}`)
    // The mutation and its entries.
    for (let left = 1 + entries; left > 0; left--) {
      const mutation = reader.at
      reader.skip(bytes.readUInt32BE(mutation), "mutation")
      visitor.mutation(bytes, mutation, position)
    }
    for (let left = obligations; left > 0; left--) visitor.obligation(reader.bytes(reader.uint32("obligation size"), "obligation"), position)
    if (reader.at !== at + size) reader.fail(`a record of ${size} bytes, found ${reader.at - at}`)
  }
}
