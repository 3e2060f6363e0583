// The files of the commit log: made, made larger ahead of the writes, used again, removed.
//
// A file grows in steps before anything is written into the step, so that a full disk refuses the step and never half of a
// chunk, and so that most syncs find a file whose size has not changed, which costs a file system one write less. A segment
// that nobody needs any more becomes a spare, and a spare the next segment: its bytes are written over, and nothing grows at all.
//
// INVARIANT: a file is written over only when its name as a spare is durable. Otherwise a loss of power could bring the old
// name back with the new content.
// Spares do not outlive the process: the next one removes them.
import { Buffer } from "../../runtime/pure.ts"
import { type Disk, DiskError, type WriteFile } from "../../runtime/disk.ts"
import { SEGMENT_HEADER_BYTES, type SegmentHeader, encodeSegmentHeader, segmentName, spareName } from "./commit-log-format.ts"

const MIN_STEP_BYTES = 64 * 1024
const ZEROS = Buffer.alloc(1 << 20)

export class Segment {
  readonly id: number
  readonly generation: number
  readonly path: string
  /** Null for a segment of an earlier start, and for one that is full and synced. */
  file: WriteFile | null
  /** Where its chunks end. */
  length: number
  /** What a sync has covered of it. */
  syncedBytes = 0
  nameIsDurable = false
  holds = 0
  /** Has the chunk that ends it. */
  isEnded = false
  /** A segment whose records went on here: as long as that one is kept, so is this. */
  readonly continues: Segment | null
  /** A sync has failed: what the operating system holds of it may be wrong (see commit-log-sync.ts). */
  isSuspect = false

  constructor(id: number, generation: number, path: string, file: WriteFile | null, continues: Segment | null) {
    this.id = id
    this.generation = generation
    this.path = path
    this.file = file
    this.length = file === null ? 0 : SEGMENT_HEADER_BYTES
    this.continues = continues
  }

  get isUnsynced(): boolean {
    return this.file !== null && this.length > this.syncedBytes
  }
  /** Bytes that can be written without the file growing. */
  get roomTo(): number {
    return this.file === null ? 0 : this.file.size
  }
}

export function isDiskFull(error: unknown): error is DiskError {
  return error instanceof DiskError && (error.code === "ENOSPC" || error.code === "EDQUOT")
}

export class SegmentFiles {
  readonly #disk: Disk
  readonly #directory: string
  readonly #segmentBytes: number
  /** Ready to be used. */
  readonly #spares: string[] = []
  /** Renamed, but not durably yet. */
  #resting: string[] = []
  #isSyncing = false

  constructor(disk: Disk, directory: string, segmentBytes: number) {
    this.#disk = disk
    this.#directory = directory
    this.#segmentBytes = segmentBytes
  }

  get spareCount(): number {
    return this.#spares.length + this.#resting.length
  }

  pathOf(segment: number): string {
    return `${this.#directory}/${segmentName(segment)}`
  }

  /** Throws DiskError; then nothing is left of it. */
  create(header: SegmentHeader, continues: Segment | null): Segment {
    const path = this.pathOf(header.segment)
    let file: WriteFile | null = null
    try {
      const spare = this.#spares.pop()
      if (spare !== undefined) this.#disk.rename(spare, path)
      file = this.#disk.writeFile(path)
      file.write(encodeSegmentHeader(header), 0)
      return new Segment(header.segment, header.generation, path, file, continues)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      file?.close()
      this.#removeQuietly(path)
      throw error
    }
  }

  /** Sees to it that the segment can be written up to `end` without growing. Throws DiskError. */
  reserve(segment: Segment, end: number): void {
    const file = segment.file as WriteFile
    const step = Math.min(Math.max(file.size, MIN_STEP_BYTES), ZEROS.length, Math.max(this.#segmentBytes - file.size, 0))
    try {
      this.#grow(file, Math.max(end, file.size + step))
    } catch (error) {
      // The step does not fit; what is needed may.
      if (!isDiskFull(error)) throw error
      this.#grow(file, end)
    }
  }

  #grow(file: WriteFile, end: number): void {
    while (file.size < end) file.write(ZEROS.subarray(0, Math.min(ZEROS.length, end - file.size)), file.size)
  }

  /** REQUIRES: all of the segment is synced or unneeded. `keep`: as a spare. */
  release(segment: Segment, keep: boolean): void {
    segment.file?.close()
    segment.file = null
    if (!keep) {
      this.#disk.remove(segment.path)
      return
    }
    const spare = `${this.#directory}/${spareName(segment.id)}`
    this.#disk.rename(segment.path, spare)
    this.#resting.push(spare)
    this.#syncNames()
  }

  #syncNames(): void {
    if (this.#isSyncing || this.#resting.length === 0) return
    this.#isSyncing = true
    // Not those that come meanwhile.
    const resting = [...this.#resting]
    this.#disk.syncDirectory(this.#directory, (error) => {
      this.#isSyncing = false
      this.#resting = this.#resting.filter((path) => !resting.includes(path))
      if (error === null) this.#spares.push(...resting)
      else for (const path of resting) this.#removeQuietly(path)
      this.#syncNames()
    })
  }

  /** A file that stays is removed by the next start. */
  #removeQuietly(path: string): void {
    try {
      this.#disk.remove(path)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
    }
  }
}
