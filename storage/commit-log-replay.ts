// Reads the commit log at start: hands out every record up to the log's end, tells a torn end from damage, and cuts the
// torn end off so that the next start does not meet it again.
import { Buffer } from "../runtime/pure.ts"
import type { Disk } from "../runtime/disk.ts"
import { ByteReader, CorruptionError } from "../data/bytes.ts"
import type { LogPosition } from "../data/local-store.ts"
import {
  CHUNK_HEADER_BYTES, RECORD_HEADER_BYTES, RECORD_KIND, SEGMENT_HEADER_BYTES, chunkEnd, findChunk, isSegmentHeader, segmentName, segmentOfName,
} from "./commit-log-format.ts"
import { isBefore } from "./commit-log.ts"
import { CorruptFileError } from "./errors.ts"

/** Bytes are views and valid during the call only; mutations say their own size. */
export interface RecordVisitor {
  mutation(bytes: Buffer, at: number, position: LogPosition): void
  obligation(bytes: Buffer, position: LogPosition): void
}

export interface ReplayResult {
  /** Segments that remain, in order. */
  readonly segments: readonly number[]
  /** Higher than every segment there was. */
  readonly nextSegment: number
  /** Where the log was cut; null when it was whole. */
  readonly cutAt: LogPosition | null
}

interface Scan {
  /** Where the log ends: the first place that is not a whole chunk though there is more. */
  tear: LogPosition | null
  highestSynced: LogPosition
}

/** Hands out the log's records in order, then cuts and syncs the files. Throws CorruptFileError. */
export async function replayCommitLog(disk: Disk, directory: string, visitor: RecordVisitor): Promise<ReplayResult> {
  const segments = disk
    .list(directory)
    .map(segmentOfName)
    .filter((segment) => segment !== null)
  const scan: Scan = { tear: null, highestSynced: { segment: 0, offset: 0 } }
  const sizes = new Map<number, number>()
  for (const segment of segments) {
    const path = `${directory}/${segmentName(segment)}`
    const bytes = readWhole(disk, path)
    try {
      replaySegment(bytes, segment, scan, sizes, visitor)
    } catch (error) {
      throw error instanceof CorruptionError ? CorruptFileError.from(path, error) : error
    }
  }
  const { tear, highestSynced } = scan
  if (tear !== null && isBefore(tear, highestSynced)) {
    throw new CorruptFileError(`${directory}/${segmentName(tear.segment)}`, tear.offset, `expected a commit log chunk that was synced to the disk`)
  }
  const remaining = await cutLog(disk, directory, segments, tear)
  return { segments: remaining, nextSegment: (segments.at(-1) ?? 0) + 1, cutAt: tear }
}

function readWhole(disk: Disk, path: string): Buffer {
  const file = disk.readFile(path)
  try {
    const bytes = Buffer.allocUnsafeSlow(file.size)
    return bytes.subarray(0, file.readNow(bytes, 0))
  } finally {
    file.close()
  }
}

function replaySegment(bytes: Buffer, segment: number, scan: Scan, sizes: Map<number, number>, visitor: RecordVisitor): void {
  if (!isSegmentHeader(bytes, segment)) {
    scan.tear ??= { segment, offset: 0 }
    scanForSynced(bytes, 0, segment, scan)
    return
  }
  const previous = bytes.readUInt32BE(12)
  const previousSize = sizes.get(previous)
  if (previousSize !== undefined && previousSize < bytes.readUInt32BE(16)) scan.tear ??= { segment: previous, offset: previousSize }
  let at = SEGMENT_HEADER_BYTES
  while (at < bytes.length) {
    const end = chunkEnd(bytes, at, segment)
    if (end === 0) break
    noteSynced(bytes, at, scan)
    if (scan.tear === null) replayChunk(bytes, at, end, segment, visitor)
    at = end
  }
  sizes.set(segment, at)
  if (at === bytes.length) return
  scan.tear ??= { segment, offset: at }
  scanForSynced(bytes, at, segment, scan)
}

/** Behind damage: whole chunks further on still tell what was synced. */
function scanForSynced(bytes: Buffer, from: number, segment: number, scan: Scan): void {
  for (let at = findChunk(bytes, from, segment); at !== -1; at = findChunk(bytes, at, segment)) noteSynced(bytes, at, scan)
}

function noteSynced(bytes: Buffer, chunk: number, scan: Scan): void {
  const synced = { segment: bytes.readUInt32BE(chunk + 16), offset: bytes.readUInt32BE(chunk + 20) }
  if (isBefore(scan.highestSynced, synced)) scan.highestSynced = synced
}

function replayChunk(bytes: Buffer, chunk: number, end: number, segment: number, visitor: RecordVisitor): void {
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

/** Removes what is behind the tear, last first, so that a crash in between leaves a log with the same end. Everything that remains is synced. */
async function cutLog(disk: Disk, directory: string, segments: readonly number[], tear: LogPosition | null): Promise<number[]> {
  const remaining = segments.filter((segment) => tear === null || segment < tear.segment || (segment === tear.segment && tear.offset > 0))
  for (const segment of segments.toReversed()) {
    if (!remaining.includes(segment)) disk.remove(`${directory}/${segmentName(segment)}`)
  }
  // Only once they are gone for good: a segment that came back behind a mended tear would pass for whole.
  if (segments.length > remaining.length) await syncDirectory(disk, directory)
  for (const segment of remaining) {
    const path = `${directory}/${segmentName(segment)}`
    const file = segment === tear?.segment ? disk.appendFile(path, { truncateTo: tear.offset }) : disk.appendFile(path)
    await syncFile(file)
    file.close()
  }
  // The process that made a segment may have been killed before its name was safe.
  if (remaining.length > 0) await syncDirectory(disk, directory)
  return remaining
}

export function syncFile(file: { sync(done: (error: Error | null) => void): void }): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)))
  })
}

export function syncDirectory(disk: Disk, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    disk.syncDirectory(path, (error) => (error === null ? resolve() : reject(error)))
  })
}
