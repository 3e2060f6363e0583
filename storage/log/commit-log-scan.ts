// Looks through the commit log at start, before anything of it is applied: how far it goes, whether anything that was synced is
// damaged; then cuts what is behind its end off, so that the next start does not meet it again, and syncs the rest.
//
// A segment ends with a chunk that says so. All but the last have one, and those that an earlier start has cut. One without has
// lost its end when another follows that does not go on exactly there, when a whole chunk stands further on, or when a chunk
// anywhere says that more of it was synced.
// A segment is missing when the next one names it and the manifest does not say that it was durable: only those are let go.
// The first such place is where the log ends. Below the highest place that a chunk calls synced it is damage; above it,
// the torn end of a crash.
import { Buffer } from "../../runtime/pure.ts"
import type { Disk } from "../../runtime/disk.ts"
import { CorruptionError } from "../../data/bytes.ts"
import type { LogPosition } from "../../data/local-store.ts"
import {
  CHUNK_HEADER_BYTES, SEGMENT_HEADER_BYTES, type SegmentHeader, chunkEnd, decodeSegmentHeader, findChunk, isSpareName, segmentName, segmentOfName, syncedThroughOf,
} from "./commit-log-format.ts"
import { isBefore } from "./commit-log-sync.ts"
import { CorruptFileError } from "../errors.ts"
import { syncDirectory, syncFile } from "./sync-files.ts"

export interface ScannedSegment {
  readonly id: number
  readonly path: string
  /** Null: the header is damaged, and the damage ignored. */
  readonly generation: number | null
  /** Where its chunks end. */
  readonly end: number
  /** Chunks behind damage count. */
  readonly isDamaged: boolean
}

export interface ScannedLog {
  /** Those that remain, in order. */
  readonly segments: readonly ScannedSegment[]
  /** Higher than every segment there was. */
  readonly nextSegment: number
}

/** What the bytes of one segment say. */
interface Found {
  readonly id: number
  readonly header: SegmentHeader | null
  readonly size: number
  readonly end: number
  /** By a chunk that says so. */
  readonly isEnded: boolean
  /** A whole chunk stands behind the end. */
  readonly hasMore: boolean
  readonly highestSynced: LogPosition
}

/** Reads files one after the other into the same memory. */
export class LogReader {
  readonly #disk: Disk
  #buffer = Buffer.alloc(0)

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** The view is valid until the next call. */
  read(path: string): Buffer {
    const file = this.#disk.readFile(path)
    try {
      if (file.size > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(file.size)
      const bytes = this.#buffer.subarray(0, file.size)
      return bytes.subarray(0, file.readNow(bytes, 0))
    } finally {
      file.close()
    }
  }
}

/**
 * `durableSegment` is the manifest's. `ignore` is told of damage, and then every chunk that is whole counts; null: damage is thrown as
 * CorruptFileError, as a version that is not known always is.
 */
export async function scanCommitLog(
  disk: Disk, directory: string, durableSegment: number, ignore: ((error: CorruptFileError) => void) | null,
): Promise<ScannedLog> {
  const names = disk.list(directory)
  for (const name of names) if (isSpareName(name)) disk.remove(`${directory}/${name}`)
  const ids = names.map(segmentOfName).filter((segment) => segment !== null)
  const reader = new LogReader(disk)
  const found = ids.map((id) => lookThrough(reader, `${directory}/${segmentName(id)}`, id))
  const synced = found.reduce((highest, { highestSynced }) => (isBefore(highest, highestSynced) ? highestSynced : highest), { segment: 0, offset: 0 })
  const tear = findTear(found, synced, durableSegment)
  const isDamaged = tear !== null && isBefore(tear, synced)
  if (isDamaged) {
    const error = new CorruptFileError(`${directory}/${segmentName(tear.segment)}`, tear.offset, "expected a commit log chunk that was synced to the disk")
    if (ignore === null) throw error
    ignore(error)
  }
  const kept = found.filter(({ id }) => isDamaged || tear === null || id < tear.segment || (id === tear.segment && tear.offset > 0))
  await cut(disk, directory, ids, isDamaged ? [] : kept, kept)
  const segments = kept.map(({ id, header, end }) => ({ id, path: `${directory}/${segmentName(id)}`, generation: header?.generation ?? null, end, isDamaged }))
  return { segments, nextSegment: (ids.at(-1) ?? 0) + 1 }
}

function lookThrough(reader: LogReader, path: string, id: number): Found {
  const bytes = reader.read(path)
  let header: SegmentHeader | null
  try {
    header = decodeSegmentHeader(bytes, id)
  } catch (error) {
    throw error instanceof CorruptionError ? CorruptFileError.from(path, error) : error
  }
  const generation = header?.generation ?? null
  let highestSynced: LogPosition = { segment: 0, offset: 0 }
  const note = (chunk: number): void => {
    const synced = syncedThroughOf(bytes, chunk)
    if (isBefore(highestSynced, synced)) highestSynced = synced
  }
  let end = header === null ? 0 : SEGMENT_HEADER_BYTES
  let isEnded = false
  while (header !== null && !isEnded) {
    const next = chunkEnd(bytes, end, id, generation)
    if (next === 0) break
    note(end)
    isEnded = next === end + CHUNK_HEADER_BYTES
    end = next
  }
  let hasMore = false
  if (!isEnded && end < bytes.length) {
    for (let at = findChunk(bytes, end, id, generation); at !== -1; at = findChunk(bytes, at, id, generation)) {
      note(at)
      hasMore = true
    }
  }
  return { id, header, size: bytes.length, end, isEnded, hasMore, highestSynced }
}

/** The first place where something is missing; null: the log is whole. */
function findTear(found: readonly Found[], synced: LogPosition, durableSegment: number): LogPosition | null {
  for (const [index, { id, header, size, end, isEnded, hasMore }] of found.entries()) {
    if (header === null) return { segment: id, offset: 0 }
    // The one before it is gone, and nothing says that it was let go.
    if (header.previous > durableSegment && found[index - 1]?.id !== header.previous) return { segment: header.previous, offset: 0 }
    const next = found[index + 1]?.header ?? null
    const wantedEnd = next !== null && next.previous === id ? next.previousBytes : 0
    // What the next segment does not count of a failed one was written anew there.
    const isWhole = isEnded || end === size || wantedEnd > 0 || (index === found.length - 1 && !hasMore)
    if (!isWhole || end < wantedEnd || (synced.segment === id && synced.offset > end)) return { segment: id, offset: end }
  }
  return null
}

/** Removes what is not kept, last first, so that a crash in between leaves a log with the same end. What is kept is synced. */
async function cut(disk: Disk, directory: string, ids: readonly number[], whole: readonly Found[], kept: readonly Found[]): Promise<void> {
  const keptIds = new Set(kept.map(({ id }) => id))
  for (const id of ids.toReversed()) if (!keptIds.has(id)) disk.remove(`${directory}/${segmentName(id)}`)
  // Only once they are gone for good: a segment that came back behind a mended tear would pass for whole.
  if (ids.length > kept.length) await syncDirectory(disk, directory)
  for (const segment of kept) {
    const path = `${directory}/${segmentName(segment.id)}`
    const isCut = whole.includes(segment) && segment.end < segment.size
    const file = isCut ? disk.appendFile(path, { truncateTo: segment.end }) : disk.appendFile(path)
    await syncFile(file)
    file.close()
  }
  // The process that made a segment may have been killed before its name was safe.
  if (kept.length > 0) await syncDirectory(disk, directory)
}
