// Which SSTables are live, and from where in the commit log each table's records are replayed. One small file that is
// replaced atomically by every change: after a crash it is the one before or the one after. Changes are made one at a time.
//
//   0    u32  magic     "BLVm"
//   4    u32  version   3
//   8    u32  length    of the text
//   12   u32  crc       of the text
//   16   text           JSON, see ManifestState
//
// Versions: 3 tells which log segments were durable; 2 tells each SSTable's level and arrival, and what a table has purged;
// 1 had numbers alone. Older ones are refused: nobody knows when their tables' data arrived, or which segments were let go.
// What is bad about it: a change costs two syncs and rewrites all of it; with some ten thousand SSTables it should become a log.
import { Buffer, crc32 } from "../runtime/pure.ts"
import type { Disk } from "../runtime/disk.ts"
import type { LogPosition } from "../data/local-store.ts"
import type { TableId } from "../data/schema.ts"
import { readWhole, writeWhole } from "./data-directory.ts"
import { CorruptFileError, DataDirectoryError } from "./errors.ts"

const MAGIC = 0x424c566d
const VERSION = 3
const HEADER_BYTES = 16

export interface ManifestSSTable {
  readonly number: number
  /** Of leveled compaction: tables of one level above 0 have disjoint tokens. 0 for all others. */
  readonly level: number
  /** The second since 1970, on this node's clock, at which the last write in it had arrived. */
  readonly arrivedBy: number
  /** The second at which the file was made. */
  readonly createdAt: number
}

export interface ManifestTable {
  readonly id: TableId
  /** Records before this position are in the SSTables, or truncated. */
  readonly replayFrom: LogPosition
  /** The live SSTables, newest data first. */
  readonly sstables: readonly ManifestSSTable[]
  /** The highest timestamp that compaction has purged here, in decimal; null: nothing was purged. */
  readonly purgedUpTo: string | null
  /** Where writes came at or below it: pairs of tokens in decimal, both included, ascending (late-writes.ts). */
  readonly late: readonly (readonly [string, string])[]
}

export interface ManifestState {
  /** The next SSTable's number; numbers are never reused. */
  readonly nextNumber: number
  readonly tables: readonly ManifestTable[]
  /** Tables that were dropped while the commit log may still hold records of them. */
  readonly dropped: readonly TableId[]
  /** Commit log segments up to this one have been on the disk under their names: one that is missing was let go, not lost. */
  readonly durableSegment: number
}

export const EMPTY_MANIFEST: ManifestState = { nextNumber: 1, tables: [], dropped: [], durableSegment: 0 }

export class Manifest {
  readonly #disk: Disk
  readonly #path: string
  #state: ManifestState
  #tail: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, path: string, state: ManifestState) {
    this.#disk = disk
    this.#path = path
    this.#state = state
  }

  /** Throws CorruptFileError, and DataDirectoryError for a newer version. */
  static open(disk: Disk, path: string): Manifest {
    return new Manifest(disk, path, disk.exists(path) ? decode(readWhole(disk, path), path) : EMPTY_MANIFEST)
  }

  /** As of the last change that is on the disk. */
  get state(): ManifestState {
    return this.#state
  }

  /** Makes `change` of the state that the changes before it leave. Resolves once it is on the disk; null: nothing to change. */
  commit(change: (state: ManifestState) => ManifestState | null): Promise<void> {
    const result = this.#tail.then(async () => {
      const state = change(this.#state)
      if (state === null) return
      await writeWhole(this.#disk, this.#path, encode(state))
      this.#state = state
    })
    // A change that failed does not stop those behind it; its caller is told.
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** Resolves when every change asked for so far is made or has failed. */
  settled(): Promise<void> {
    return this.#tail
  }
}

/** The state with one table's entry changed, or added. REQUIRES: the log is durable up to its `replayFrom`. */
export function withTable(state: ManifestState, id: TableId, change: (table: ManifestTable) => ManifestTable): ManifestState {
  const old = state.tables.find((table) => table.id === id) ?? { id, replayFrom: { segment: 0, offset: 0 }, sstables: [], purgedUpTo: null, late: [] }
  const table = change(old)
  const { segment, offset } = table.replayFrom
  const durableSegment = Math.max(state.durableSegment, offset === 0 ? segment - 1 : segment)
  return { ...state, durableSegment, tables: [...state.tables.filter((other) => other.id !== id), table].toSorted((a, b) => a.id - b.id) }
}

export function encode(state: ManifestState): Buffer {
  const text = Buffer.from(JSON.stringify(state))
  const bytes = Buffer.alloc(HEADER_BYTES + text.length)
  bytes.writeUInt32BE(MAGIC, 0)
  bytes.writeUInt32BE(VERSION, 4)
  bytes.writeUInt32BE(text.length, 8)
  bytes.writeUInt32BE(crc32(text), 12)
  text.copy(bytes, HEADER_BYTES)
  return bytes
}

export function decode(bytes: Buffer, path: string): ManifestState {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) throw new CorruptFileError(path, 0, "expected a manifest")
  const version = bytes.readUInt32BE(4)
  if (version > VERSION) throw new DataDirectoryError("newer_format", `${path} has version ${version}; this version reads up to ${VERSION}`)
  if (version < VERSION) throw new DataDirectoryError("older_format", `${path} has version ${version}; this version reads ${VERSION} alone`)
  const length = bytes.readUInt32BE(8)
  const text = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)
  if (text.length !== length || crc32(text) !== bytes.readUInt32BE(12)) throw new CorruptFileError(path, HEADER_BYTES, `expected ${length} bytes with another CRC`)
  return JSON.parse(text.toString()) as ManifestState
}
